"""Questions by which finished weights are chosen; the generator never reads them, and none is in the exam."""
