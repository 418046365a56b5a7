"""Plain text: what is taken of a page, and which pages."""

from pathlib import Path

import numpy as np
import pytest

from training.chat.corpus import Place
from training.chat.prose import Prose, paragraphs, read_prose
from training.chat.train import Trainer

PAGE = """# A title[[a-title]]

<Banner notebooks={[
  {label: "Colab"},
]} />

The **tokenizer** turns [text](https://example.org/a) into `tokens`, and each token into a number.

```python
from transformers import pipeline  # code is not for reading aloud in this place
```

| Model | Size |
|---|---|
| 1 2 3 4 5 6 7 8 9 0 | 11 22 33 44 55 66 77 88 99 |

> [!TIP]
> Bộ tách từ cắt văn bản thành các token, rồi đổi mỗi token thành một con số cho mô hình.
"""


def test_paragraphs_are_the_words_of_a_page() -> None:
    assert list(paragraphs(PAGE)) == [
        "The tokenizer turns text into tokens, and each token into a number.",
        "Bộ tách từ cắt văn bản thành các token, rồi đổi mỗi token thành một con số cho mô hình.",
    ]


def test_pages_in_other_languages_are_left_out(tmp_path: Path) -> None:
    for language in ("en", "vi", "es", "zh-CN"):
        (tmp_path / "units" / language).mkdir(parents=True)
        (tmp_path / "units" / language / "a.mdx").write_text(f"{language} " + "some words of a page " * 4, "utf-8")
    assert sorted(page[0][:2] for page in read_prose([tmp_path])) == ["en", "vi"]


def test_folder_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text("```\ncode\n```\n", "utf-8")
    with pytest.raises(FileNotFoundError, match="no Markdown page with text"):
        read_prose([tmp_path])


def test_passes_are_repeatable_and_cut_at_other_places(smoke: Trainer) -> None:
    pages = [[f"Sentence number {number} of a long page about models." for number in range(200)]]
    prose = Prose(smoke.corpus.encoder.tokenizer, pages, seed=1, length=128)
    assert np.array_equal(prose.once(0).ids, prose.once(0).ids)
    assert not np.array_equal(prose.once(0).ids, prose.once(1).ids)
    rows = next(prose.batches(Place(), 4))
    assert rows.ids.shape == (4, 128)
    assert (rows.weights[rows.segments > 0] == 1).all()
