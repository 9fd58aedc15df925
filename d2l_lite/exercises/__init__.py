"""Exercises that answer back: one module a chapter, named like its notebook.

`from d2l_lite.exercises import masked_softmax as exercises`, then `exercises.check_…(answer)`. A
checker returns a sentence if the answer is right. Otherwise it raises `checking.WrongAnswer`, which
says what is wrong and where.
"""
