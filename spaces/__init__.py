"""Deployment to Hugging Face Spaces: `python -m spaces.deploy OWNER/NAME --flavour zerogpu|cpu|docker`.

Hugging Face's package for ZeroGPU has this name, too. This folder is never copied into a Space, so it hides nothing
there. Gradio looks for that package while it is imported; here it must find none.
"""

from __future__ import annotations

import sys

_gradio = sys.modules.get("gradio")
if _gradio is not None and not hasattr(_gradio, "Blocks"):  # it is being imported right now
    raise ImportError("This is the playground's own folder, not Hugging Face's package for ZeroGPU.")
