"""The numbers of the stream gate, in one place, each with its reason.

They are read from here whenever they are needed (`constants.WINDOW`), so that a measurement may set others. All that
a stream's state depends on is in its log, so another number here makes no old state wrong, but for `WINDOW`.
"""

WINDOW = 2000
"""Items of the stream that a fit looks at."""

EVERY = 100
"""Items between fits."""

FEWEST_ITEMS = 400
"""Items in the window before the first fit: fewer differ from known ones by chance in a hundred directions."""

FEWEST_HELD_OUT = 1500
"""With fewer held-out items there is no stream gate: half of them could not tell one per cent from chance."""

FEWEST_OF_CLASS = 60
"""... nor with fewer a class: the shares of a hundred classes cannot be told from two thousand items. (On CLINC150, 112
intents with 38 held-out items each, it lowered the AUROC of unseen intents from .94 to .87.)"""

MOST_FITTED = 4000
"""Held-out items that fits use, at most: bounds their time."""

CORE = 0.5
"""p-value above which an item lies in the core of its nearest class."""

LEAST_SHARE = 1e-6
"""No known class is taken to be rarer: weights stay numbers."""

PENALTY = 100.0
"""Of the ridge, for a window of WINDOW items; in proportion for fewer."""

MEMBER_PENALTY = 10.0
"""Of a membership: it has few items, but must bend where the stream's cannot."""

LEAST_RATIO = 2.0
"""r from which on more than half of the items are new."""

REFRESHED = 2
"""Memberships fitted anew at a time."""

MOST_MEMBERSHIPS = 64
"""Memberships there are; the longest unfitted leave. Bounds the state, and the time of deciding by them."""

FEWEST_MEMBERS = 12
"""Items of a cluster in the window from which a membership can be fitted."""

NEAR_SHARE = 0.9
"""Share of a cluster's items that are not counted as its outskirts."""

REACH = 1.2
"""A cluster claims nothing farther from its centre than this times where NEAR_SHARE of its items lie (squares)."""

LEAST_REACH = 1e-3
"""... but what lies as near as this, where all its items lie in one place (float16 features)."""

NO_VALLEY = 0.5
"""Items between two centres, relative to those at the emptier centre, from which on the two are one class. Clusters no
farther apart than known classes had .5 to 1 times as many where they were pieces of one class, .2 to .4 where they were
two (MNIST, 28 streams, and Fashion-MNIST, 20)."""

SURE = 2.0
"""... and by so many standard errors more."""

FEWEST_BETWEEN = 10
"""... and at least so many, that it is no accident."""

AS_NEAR = 1.0
"""... and which are no farther apart than this: squared, relative to a known class and the nearest other. Pieces of one
class were .3 to 1 times as far, most pairs of classes 1 to 9 times."""

VALLEY = 0.35
"""Items between the halves of a cluster, relative to those at the emptier one, up to which it is two classes. One class
has .5 to 1.5 times as many (MNIST, 20 streams), two have .2 to .37 times."""

AS_FAR = 0.7
"""... and which are as far apart: squared, relative to a known class and the nearest other."""

FEWEST_AT_A_PEAK = 20
"""... with so many items at the emptier one, of the half of the items that tell."""

WIDER = 1.4
"""The micro-clusters' radius may be so much wider than the rehearsed one where a fit parts what a chain joins ..."""

WIDEST = 1.6
"""... up to this. On pairs of unseen digits (MNIST, 12 streams) macro-F1 was .930 / .952 / .962 at radii 1.15 / 1.4 /
1.6, and the median delay 55 / 38 / 26; on Fashion-MNIST (20 streams) .80 at 1.15 and at 1.6."""

BAND = 0.15
"""Items are at a centre, or half-way, if no farther from there than this, the centres being 1 apart."""
