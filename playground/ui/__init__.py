"""The page. The only package that imports gradio; files named `*_view.py` do not even do that."""
