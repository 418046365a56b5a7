"""Detoxify, the standard toxicity classifier: its five published models, loaded without running their code.

Text takes one way: `windows` cuts it into token windows, a `Network` scores them (ONNX int8, or PyTorch), and
`detector` turns the highest score per label into findings. `checkpoint` and `download` guard what is loaded; `encoder`,
`graph` and `export` make the int8 form of the same weights and refuse it when its scores drift.
"""
