"""What questions are about, told by their surface."""

from __future__ import annotations

import pytest

from playground.arena.topics import categorise, question_language

SAID = {
    "code": (
        "Write a Python function that reverses a list.",
        "Implement a fast sorting function for me.",
        "How do I centre a div in CSS?",
        "What does print(x) do?",
        "Why does my_list.append(3) return None?",
        "Explain this:\n```\nx = 1\n```",
        "for (int i = 0; i < n; i++) {\n  sum += i;\n}",
        "Where is the mistake?\ntotal = price * count;",
        "What is recursion?",
        "Review my code, please.",
        "Write a program in Java that counts words.",
        "Give me a SQL query for the ten newest orders.",
        "What is the difference between C++ and C#?",
        "Which sorting algorithm is fastest?",
        "def add(a, b): what is missing here?",
        "Viết hàm sắp xếp bằng python.",
        "Viết một chương trình đếm số từ.",
        "Lập trình hướng đối tượng là gì?",
        "Giải thích đoạn mã này giúp tôi.",
        "Thuật toán tìm kiếm nhị phân hoạt động thế nào?",
        "Làm sao gỡ lỗi trong JavaScript?",
        "Học Rust có khó không?",
        "Con trỏ trong C là gì?",
        "Fix this: SELECT * FROM users",
        "What is an API?",
    ),
    "maths": (
        "What is 12 * 7?",
        "What is 100-37?",
        "How much is two plus two?",
        "Solve the equation x + 3 = 10.",
        "Solve for x: 2x = 8",
        "Calculate the area of a circle with radius 3.",
        "What is the derivative of x squared?",
        "What is 15 percent of 80?",
        "What is the square root of 144?",
        "Is 91 one of the prime numbers?",
        "Tom has 5 apples and eats 2. How many are left?",
        "What is max(3, 5)?",
        "What is the probability of rolling a six?",
        r"Show that $x^2 + 1$ has no real root.",
        "Giải phương trình x + 3 = 10.",
        "Giải hệ phương trình sau đây.",
        "Tính tổng của 15 và 27.",
        "Tính diện tích hình tròn bán kính 3.",
        "Hai cộng hai bằng mấy?",
        "12-5 bằng bao nhiêu?",
        "15% của 80 là bao nhiêu?",
        "An có 5 quả táo, cho Bình 2 quả. Hỏi An còn lại mấy quả?",
        "Đạo hàm là gì?",
        "Diện tích hình vuông cạnh 4 cm?",
        "Is 17 prime?",
    ),
    "general": (
        "What is a token?",
        "Is it worth flying first class?",
        "Which model(s) should I try?",
        "What is the function of the heart?",
        "Write an essay about the function of the liver.",
        "What is the dress code for a wedding?",
        "What is the zip code of Boston?",
        "Which class of animals do frogs belong to?",
        "How long is a python snake?",
        "Where is the island of Java?",
        "Why does iron rust?",
        "Solve this riddle for me.",
        "What happened between 1914-1918?",
        "Is the shop open 24/7 on 2026-01-02?",
        "It costs $5 here and $10 there. Why?",
        "Friendship is an integral part of life; why?",
        "Most people, about 90 percent of them, like music. Why?",
        "Giải thích token là gì?",
        "Máy tính là gì?",
        "Tôi nên giải trí thế nào?",
        "Giải thưởng Nobel là gì?",
        "Tính cách của người Việt ra sao?",
        "Điện thoại này có tính năng gì?",
        "Tính từ là gì?",
        "Chức năng của tim là gì?",
        "Lớp thú gồm những con gì?",
        "Mã bưu chính của Hà Nội là gì?",
        "Kể chuyện về con trăn",
        "Why is it written in C major?",
        "Đội tuyển Đức thắng Brazil 7-1 năm nào?",
        "Giải pháp cho ô nhiễm là gì?",
    ),
}


@pytest.mark.parametrize(
    ("question", "kind"), [(question, kind) for kind, questions in SAID.items() for question in questions]
)
def test_what_kind_of_question_it_is(question: str, kind: str) -> None:
    assert categorise(question) == kind


@pytest.mark.parametrize("part", ["a", "1", "a.", "a_", "f(", "f(,", "=;", "$^", ")  ", "write a a ", "1 còn ", "một "])
def test_patterns_come_to_an_end(part: str) -> None:
    assert categorise(part * (32_000 // len(part))) in SAID


@pytest.mark.parametrize(
    ("questions", "language"),
    [
        (["What is a token?"], "en"),
        (["Token là gì?"], "vi"),
        (["Token là gì?", "OK"], "vi"),
        (["What is a token?", "Cảm ơn"], "vi"),
        (["Xin chào, tôi là An"], "vi"),
        (["Où est le café ?"], "en"),
        ([], "en"),
    ],
)
def test_the_language_is_that_of_the_questions(questions: list[str], language: str) -> None:
    assert question_language(questions) == language
