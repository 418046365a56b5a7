"""Fable's exam: ``python -m training.story.evaluate --model FOLDER`` asks for stories in wordings it never learned."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from training.chat.evaluate import model_folders
from training.chat.exam import has_words, is_vietnamese
from training.chat.runtime import ExportedModel
from training.console import say
from training.story.tales import LANGUAGES, Request, Tales, bare

ASKED = 100
EXAM_SEED = 77
LONGEST = 200


@dataclass(frozen=True)
class Result:
    """Shares of the stories, from 0 to 1: hold what was asked for, end, are in the language, differ from each other."""

    asked: int
    holds: float
    ends: float
    language: float
    different: float


def holds(story: str, request: Request) -> bool:
    """Whether a story has the hero and the thing that it was asked for; below its title, if it has one."""
    wanted = [request.hero or "", bare(request.thing or "")]
    told = (story.partition("\n\n")[2] or story).lower()
    return all(word.lower() in told for word in wanted)


def examine(model: ExportedModel, language: str, count: int) -> Result:
    """Ask for stories with a hero and a thing, in wordings that were kept back."""
    tales = Tales(EXAM_SEED, held_out=True)
    stories, requests, ended = [], [], 0
    for _ in range(count):
        question, request = tales.ask(language, "both")
        story = model.answer([("user", question)], LONGEST)
        stories.append(story)
        requests.append(request)
        ended += story.rstrip().endswith((".", "!", '."', "?"))
    spoken = [story for story in stories if has_words(story)]
    return Result(
        count,
        sum(holds(story, request) for story, request in zip(stories, requests, strict=True)) / count,
        ended / count,
        sum(is_vietnamese(story) == (language == "vi") for story in spoken) / max(1, len(spoken)),
        len(set(stories)) / count,
    )


def evaluate(folder: Path, limit: int | None = None) -> dict[str, Result]:
    """The results of an exported folder by language."""
    model = ExportedModel(folder)
    return {language: examine(model, language, limit or ASKED) for language in LANGUAGES}


def render_table(results: dict[str, dict[str, Result]]) -> str:
    """A Markdown table with one row for each model and language."""
    rows = ["| model | language | stories | hold what was asked | end | in the language | different |"]
    rows.append("|---|---|--:|--:|--:|--:|--:|")
    for name, parts in results.items():
        for language, part in parts.items():
            shares = " | ".join(f"{share:.0%}" for share in (part.holds, part.ends, part.language, part.different))
            rows.append(f"| {name} | {language} | {part.asked} | {shares} |")
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.story.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="an exported model, or a folder of several")
    options = parser.parse_args(arguments)
    say(render_table({name: evaluate(path) for name, path in model_folders(options.model).items()}))


if __name__ == "__main__":
    main()
