"""From checked documents to filled records."""

from collections.abc import Sequence
from typing import Any

from explainkit.estimators.answers import target_explanations, unusable, warn_of_blanks
from explainkit.estimators.base import Explainer
from explainkit.estimators.documents import arrays_of
from explainkit.estimators.programs import ask
from explainkit.estimators.questions import Question, resolve
from explainkit.explanation import Explanation, PictureSource


def explain(
    explainer: Explainer,
    docs: Any,
    question: Question,
    pictures: Sequence[PictureSource] | None = None,
) -> list[Explanation | ValueError]:
    """Explain checked documents; what went wrong with one stands in its place.

    The pictures are made of the documents where none are given.
    """
    count = len(arrays_of(docs)[0])
    resolved = resolve(explainer, docs, question, count)
    answer = ask(explainer, docs, resolved)
    description, first = resolved.describe(), resolved.anatomy.channels_first
    warn_of_blanks(answer, resolved.layer)
    given = pictures or [None] * count
    return [
        unusable(answer, doc, question.method.reason)
        or Explanation(
            estimator=explainer.name,
            method=question.method.spelled,
            layer=resolved.layer,
            description=description,
            is_regression=answer.is_regression(doc),
            targets=target_explanations(answer, doc),
            image=given[doc] or explainer.picture(docs, doc, resolved.seen, first),
        )
        for doc in range(count)
    ]
