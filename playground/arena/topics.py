"""What questions are about, by signs on their surface: in which language they are, and of which kind.

Common words are no signs: "function", "class", "giải" or "tính" alone say nothing. Only what stands beside them does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from playground.domain import Language
from playground.moderation.redaction import guess_language

# A question says what it is about before this many characters; patterns then take no time that anybody notices.
_READ_CHARS = 4_000

_NAMES_OF_LANGUAGES = (
    r"\b(?:javascript|typescript|sql|html|css|bash|regex|numpy|django|kotlin|python(?!\s+snake))\b|\bC(?:\+\+|#)|"
    # These are also an island, a metal, a verb and an adjective.
    r"\b(?:in|with|using|bằng|trong|ngôn ngữ|learn|học)\s+(?-i:Java|Rust|Go|Swift|Ruby|C)\b(?!\s+(?:major|minor))|"
    r"\b(?-i:Java|Rust|Go|Swift|Ruby|C)\s+(?:code|program|function|class|compiler)\b"
)
_PROGRAMS = (
    r"\b(?-i:APIs?|Git|GitHub)\b|\b(?:for|while) loops?\b|\bvòng lặp\b|"
    r"\b(?:programming|source code|pseudo-?code|unit tests?|stack trace|recursion|compiler|compile|debug(?:ging)?)\b|"
    r"\b(?:write|fix|review|refactor|explain|run|this|my|the following|some|sample) code\b|"
    r"\bcode (?:review|snippet|example|that|to)\b|"
    r"\b(?:sort|search|sorting|graph) algorithms?\b|\balgorithms? (?:to|that|for)\b|"
    r"\b(?:write|implement|define|create|fix|refactor)\s+(?:me\s+)?(?:an?|the|this|my|some)\s+"
    r"(?:(?!about|of|on|for|the)\w+\s+){0,3}(?:function|class|method|script|regular expression)\b|"
    r"\b(?:function|method|script) (?:that|which|to|returns?)\b|\bclass (?:method|inheritance|diagram)\b|"
    r"\b(?:lập trình|mã nguồn|đoạn mã|thuật toán|đệ quy|biên dịch|gỡ lỗi|câu truy vấn)\b|"
    r"\bviết\s+(?:một\s+|cho tôi\s+|giúp tôi\s+){0,2}(?:hàm|lớp|mã|script|chương trình)\b"
)
_CODE_ITSELF = (
    r"```|</\w+>|=>|\b(?-i:SELECT\s[^;\n]{1,80}\sFROM)\b|[{}][ \t]*$|\)[ \t]*;[ \t]*$|\w\s?=\s?[^=\n;]{1,80};[ \t]*$|"
    r"\b(?:print|len|range|printf|input|sorted|console\.log)\(|"
    r"\bdef \w{1,60}\(|\bclass \w{1,60}(?:\([^()\n]{0,80}\))?:|"
    # A call: with nothing in it, with arguments, or of a name of programs; not "model(s)" or "max(3, 5)".
    r"\b(?!(?:max|min|sin|cos|tan|log|ln|exp|sqrt|gcd|lcm|lim)\()[a-z_]\w{1,60}"
    r"(?:\(\)|\([^()\n]{0,80}[\"'=,\[][^()\n]{0,80}\))|"
    r"\b[a-z]\w{0,60}[._][a-z]\w{0,60}\([^()\n]{0,80}\)"
)
_CODE = re.compile(f"{_NAMES_OF_LANGUAGES}|{_PROGRAMS}|{_CODE_ITSELF}", re.IGNORECASE | re.MULTILINE)

_NUMBER = (
    r"(?:\d[\d.,]{0,20}|one|two|three|four|five|six|seven|eight|nine|ten|twenty|hundred|"
    r"một|hai|ba|bốn|năm|sáu|bảy|tám|chín|mười|trăm)"
)
_SUMS = (
    # A dash or a slash alone makes a date or a range: there must be room around it, or somebody who asks.
    r"\d\s?[+*^=×÷]\s?\d|\d\s[-−/]\s\d|\d[-−/]\d{1,20}\s?=|\d[-−/]\d{1,20}\s(?:bằng|là bao nhiêu)|"
    r"\b(?:what is|what's|how much is)\s\d[\d.,]{0,20}[-−]\d|\b[xyz]\s?(?:[+*^=]|\s-)\s?\d|\d[xyz]\b|"
    rf"\b{_NUMBER}\s(?:plus|minus|times|(?:divided|multiplied) by|(?:cộng|nhân)(?: với)?|trừ|chia(?: cho)?)\s"
    rf"{_NUMBER}\b|"
    r"\d\s?(?:%|percent|phần trăm)\s(?:of|của)\s\d|\b(?:what percent(?:age)?|bao nhiêu phần trăm)\b[^?\n]{0,60}\d|"
    r"\d[^?\n]{0,200}\b(?:how many|how much)\b[^?\n]{0,60}\b(?:left|remain|altogether|in total)\b|"
    r"\d[^?\n]{0,200}\bcòn(?: lại)? (?:mấy|bao nhiêu)\b|"
    r"\b(?:max|min|sin|cos|tan|log|ln|exp|sqrt|gcd|lcm)\([^()\n]{0,80}\)|"
    r"\$[^$\n]{0,60}[\\^_=][^$\n]{0,60}\$|\\(?:frac|sqrt|sum|int|begin)\b"
)
_MATHEMATICS = (
    r"\b(?:equations?|calculate|calculus|algebra|trigonometry|hypotenuse|factorial|logarithms?|square root|"
    r"prime numbers?|is \d{1,20} prime|theorem|derivatives? of|integrals? of|definite integral|solve for|sum of \d|"
    r"(?:area|perimeter|circumference) of (?:an?|the) (?:circle|triangle|square|rectangle|trapezoid)|"
    r"(?:probability|odds) of (?:rolling|drawing|getting|throwing))\b|"
    r"\b(?:phương trình|đạo hàm|tích phân|đại số|lượng giác|hình học|cạnh huyền|giai thừa|căn bậc|số nguyên tố|phân số|"
    r"(?:diện tích|chu vi|thể tích) (?:của )?hình|"
    r"định l[ýí]|bài toán|tổng của \d)\b|"
    r"\bgiải\s+(?:(?:hệ|bất|các|giúp|cho tôi|em)\s+){0,2}(?:phương trình|toán|bài tập toán)\b|"
    r"(?<!máy )\btính\s+(?:nhanh\s+|nhẩm\s+|giúp\s+|xem\s+|thử\s+){0,2}"
    r"(?:\d|tổng(?! quát)|hiệu của|giá trị|diện tích|chu vi|thể tích|trung bình|xác suất|phần trăm|lãi|căn|độ dài|"
    r"vận tốc)"
)
_MATHS = re.compile(f"{_SUMS}|{_MATHEMATICS}", re.IGNORECASE)
# The commonest words of Vietnamese whose letters other languages have, too.
_VIETNAMESE = re.compile(
    r"\b(?:là|gì|và|có|hãy|nào|này|tôi|mình|thì|mà|không|còn|nói|câu|xin chào|mô hình)\b", re.IGNORECASE
)


def categorise(question: str) -> str:
    """What kind of question it is: "code", "maths" or "general"."""
    read = question[:_READ_CHARS]
    return "code" if _CODE.search(read) else "maths" if _MATHS.search(read) else "general"


def question_language(questions: Iterable[str]) -> Language:
    """In which language they are asked: Vietnamese if one of them shows it; the page's language says nothing of it."""
    asked = "\n".join(questions)
    return guess_language(asked, "vi" if _VIETNAMESE.search(asked) else "en")
