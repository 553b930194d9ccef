"""The net for texts that needs no download: terms counted, weighed, projected, then a trained head.

    text ─ terms ─ tf-idf (V) ─ @ components ─ L2 = "features" (S) ─ head ─ "penultimate", "output"

Terms are words and pairs of words, and runs of three to five characters inside words, which is what is left
of a word that is misspelt, inflected or new. A text is read to its first 4,000 characters, in lower case.
The weight of term j in a text that has it c times, one of n fitting texts of which d_j have the term:

    w_j = (1 + ln c) * idf_j,    idf_j = ln((1 + n) / (1 + d_j)) + 1,    then w / |w|

Unseen terms count nothing. The S components are the first right singular vectors of the fitting texts' weights
(Deerwester et al. 1990, "Indexing by latent semantic analysis"; found as in Halko, Martinsson and Tropp 2011):
texts that share no word but whose words occur together lie close, and 20,000 sparse numbers become a few
hundred dense ones, of which a head can be trained in seconds. Vocabulary, idf and components come from the
fitting items alone, and training leaves them as they are.

A bundle carries the terms in `vocabulary.json`, which is `{"words": [...], "characters": [...]}` in the order
of the weights, words first; idf and components lie with the other arrays. Splitting a text into terms is
scikit-learn's, rebuilt from its settings alone.

Example: with the words "reset", "pin" and "reset pin", idf 1, 2, 2, no character terms and the text "Reset!
reset PIN", the weights are 1 + ln 2, 2 and 2, divided by their length 3.29: .51, .61, .61.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types
from torch import Tensor, nn

from model.inputs import InputSpec, Payloads
from model.manifest import VOCABULARY, strict_json
from model.networks.head import Head
from model.networks.network import Batch, Network, to_device

_LONGEST_READ: Final = 4000
_FEWEST_TEXTS: Final = 2
_GROUPS: Final = ("words", "characters")
_ITERATIONS: Final = 7

_Analyzer = Callable[[str], list[str]]


def _analyzers() -> dict[str, _Analyzer]:
    """Return, for each group of terms, what splits a text into them, repeats included."""
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415  # a second, for those without texts

    one_letter_too = r"(?u)\b\w+\b"
    words = CountVectorizer(analyzer="word", ngram_range=(1, 2), token_pattern=one_letter_too)
    characters = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    return {"words": words.build_analyzer(), "characters": characters.build_analyzer()}


class TfIdf(Network):
    """Weighed terms, their singular vectors, a head.

    Args:
        input: a text.
        files: empty before `prepare`; a bundle's, to build a net that was prepared.
        output_dim: D.
        hidden: width of the layer "penultimate".
        features: S. Where the fitting texts span fewer dimensions, the rest are zero.
        terms: the most terms of each group that are kept, those in most texts; each in two texts at least.
        characters: whether runs of characters are terms, too.
        dropout: of the head.
    """

    def __init__(
        self,
        input: InputSpec,  # noqa: A002  # the contract's word
        *,
        files: Mapping[str, bytes] | None = None,
        output_dim: int = 128,
        hidden: int = 256,
        features: int = 600,
        terms: int = 10_000,
        characters: bool = True,
        dropout: float = 0.2,
    ) -> None:
        super().__init__({"features": features, "penultimate": hidden, "output": output_dim})
        if input.kind != "text":
            raise ValueError("the network tfidf takes texts; choose cnn for images or mlp for numbers")
        if terms < 1:
            raise ValueError("a tfidf net needs terms of at least 1")
        self._terms_limit = terms
        self._groups = _GROUPS if characters else _GROUPS[:1]
        self._analyzers = _analyzers()
        self._places: dict[str, dict[str, int]] = {}
        self.head = Head(features, hidden=hidden, output_dim=output_dim, dropout=dropout)
        self.idf: Tensor
        self.components: Tensor
        self._adopt(_read_vocabulary(files[VOCABULARY]) if files and VOCABULARY in files else {})

    def prepare(self, items: Payloads) -> None:
        """Choose the terms, weigh them, and find the components.

        Raises:
            ValueError: no term is in two of the texts.
        """
        counted = [self._count(str(text)) for text in items]
        vocabulary: dict[str, list[str]] = {}
        idf: list[float] = []
        for group in self._groups:
            texts_with = Counter(term for counts in counted for term in counts[group])
            often = [term for term, n in texts_with.items() if n >= _FEWEST_TEXTS]
            kept = sorted(sorted(often, key=lambda term: (-texts_with[term], term))[: self._terms_limit])
            vocabulary[group] = kept
            idf += [np.log((1 + len(counted)) / (1 + texts_with[term])) + 1 for term in kept]
        if not idf:
            raise ValueError("no word is in two of the texts to fit on, so they cannot be compared by words")
        self._adopt(vocabulary)
        self.idf.copy_(torch.tensor(idf))
        self.components.copy_(self._singular_vectors([self._weigh(counts) for counts in counted]))

    def collate(self, items: Payloads) -> Batch:
        """Make a batch of B texts: "terms" int64 (T,) and "weights" float32 (T,), text after text, and "offsets"
        int64 (B,), where each begins.
        """
        rows = [self._weigh(self._count(str(text))) for text in items]
        lengths = [len(places) for places, _ in rows]
        return {
            "terms": torch.from_numpy(np.concatenate([places for places, _ in rows])),
            "weights": torch.from_numpy(np.concatenate([weights for _, weights in rows])),
            "offsets": torch.tensor([0, *lengths[:-1]]).cumsum(0),
        }

    def rows(self, items: Payloads, device: torch.device) -> Tensor:
        """Hold the features, float32 (N, S): training does not change them."""
        with torch.no_grad():
            parts = [
                self.encode(to_device(self.collate(items[start : start + 512]), device))
                for start in range(0, len(items), 512)
            ]
        return torch.cat(parts)

    def files(self) -> Mapping[str, bytes]:
        """Return `vocabulary.json`."""
        vocabulary = {group: list(self._places[group]) for group in _GROUPS}
        return {VOCABULARY: json.dumps(vocabulary, ensure_ascii=False, indent=0).encode()}

    def encode(self, batch: Batch) -> Tensor:
        """Return the features float32 (B, S) of a batch: of length one, or zero for a text without terms."""
        assert isinstance(batch, dict)
        sums = nn.functional.embedding_bag(
            batch["terms"],
            self.components,
            batch["offsets"],
            mode="sum",
            per_sample_weights=batch["weights"],
        )
        return nn.functional.normalize(sums, dim=1)

    def layers(self, x: Batch) -> dict[str, Tensor]:
        """Return "features" (B, S), "penultimate" (B, hidden) and "output" (B, D).

        Args:
            x: a batch of texts, or their features as `rows` has them.
        """
        features = x if isinstance(x, Tensor) else self.encode(x)
        return {"features": features, **self.head(features)}

    def _adopt(self, vocabulary: Mapping[str, list[str]]) -> None:
        """Take these terms and make room for their arrays."""
        self._places, start = {}, 0
        for group in _GROUPS:
            terms = vocabulary.get(group, [])
            self._places[group] = {term: start + n for n, term in enumerate(terms)}
            start += len(terms)
        self.register_buffer("idf", torch.zeros(start))
        self.register_buffer("components", torch.zeros(start, self.widths["features"]))

    def _count(self, text: str) -> dict[str, Counter[str]]:
        return {group: Counter(self._analyzers[group](text[:_LONGEST_READ])) for group in self._groups}

    def _weigh(self, counts: Mapping[str, Counter[str]]) -> tuple[np.ndarray, np.ndarray]:
        """Return places int64 (T,) and weights float32 (T,), of length one together, of the terms of a text."""
        found = [
            (place, n)
            for group in self._groups
            for term, n in counts[group].items()
            if (place := self._places[group].get(term)) is not None
        ]
        places = np.array([place for place, _ in found], dtype=np.int64)
        weights = (1 + np.log([n for _, n in found])) * self.idf.numpy(force=True)[places]
        length = float(np.sqrt(np.square(weights).sum()))
        return places, (weights / length if length > 0 else weights).astype(np.float32)

    def _singular_vectors(self, rows: list[tuple[np.ndarray, np.ndarray]]) -> Tensor:
        """Return float32 (V, S): the first right singular vectors of the weights, in columns."""
        from scipy.sparse import csr_array  # noqa: PLC0415  # as above
        from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415  # as above

        indptr = np.cumsum([0, *(len(places) for places, _ in rows)])
        columns = np.concatenate([places for places, _ in rows])
        values = np.concatenate([weights for _, weights in rows])
        matrix = csr_array((values, columns, indptr), shape=(len(rows), len(self.idf)))
        wanted = self.widths["features"]
        found = torch.zeros(len(self.idf), wanted)
        rank = min(wanted, *matrix.shape)
        with threadpool_limits(limits=1):  # partial sums of several threads may be added in any order
            svd = TruncatedSVD(rank, n_iter=_ITERATIONS, random_state=0).fit(matrix)
        found[:, :rank] = torch.from_numpy(svd.components_.T.astype(np.float32))
        return found


def _read_vocabulary(raw: bytes) -> dict[str, list[str]]:
    try:
        found = strict_json(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{VOCABULARY} is not JSON: {error}") from error
    if not isinstance(found, dict) or found.keys() != set(_GROUPS):
        raise ValueError(f"{VOCABULARY} is no object of the lists {', '.join(_GROUPS)}")
    for group, terms in found.items():
        if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
            raise ValueError(f"{VOCABULARY} has {group} that are no list of texts")
        if len(set(terms)) != len(terms):
            raise ValueError(f"{VOCABULARY} has a term twice among its {group}")
    return found
