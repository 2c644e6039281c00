from nodes.model_worker.kv.answers import LIMIT, Answers


def test_an_answer_is_found_in_the_ids_it_was_generated_in() -> None:
    answers = Answers()
    answers.remember("so", [1, 2])
    assert "so" in answers
    assert answers.find("so", [], 0) == (1, 2)
    assert "else" not in answers


def test_of_two_ways_the_one_that_was_processed_there_is_taken_else_the_latest() -> None:
    answers = Answers()
    answers.remember("so", [1, 2])
    answers.remember("so", [12])
    assert answers.find("so", [7, 1, 2, 8], 1) == (1, 2)
    assert answers.find("so", [7, 12, 8], 1) == (12,)
    assert answers.find("so", [7], 1) == (12,)


def test_an_empty_answer_is_not_remembered() -> None:
    answers = Answers()
    answers.remember("", [1])
    answers.remember("x", [])
    assert len(answers) == 0


def test_past_the_limit_the_oldest_is_forgotten_and_counted() -> None:
    answers = Answers()
    for number in range(LIMIT + 1):
        answers.remember(str(number), [number])
    assert (len(answers), answers.forgotten, "0" in answers) == (LIMIT, 1, False)
