"""The stream gate: what is in the recent stream that known classes do not explain?

One item alone can look known: a coat is much like a pullover. Thirty coats in a stream that should bring pullovers do
not look like pullovers *together*. So beside the gate that looks at items one by one (known.py) this one compares two
samples, held-out items of known classes and the latest items of the stream:

    held-out items, class k with weight pi_k ──┐
                                               ├─► logistic regression ─► r(x) = p_stream(x) / p_known(x)
    the latest WINDOW items of the stream ─────┘

Where both samples have the same law no classifier can tell them apart, and r is 1. Where the stream has what known
classes do not, r is large: the share of new items among those at x is 1 - 1/r (Sugiyama, Suzuki and Kanamori 2012,
"Density Ratio Estimation in Machine Learning", ch. 4). It is fitted every EVERY items to the window of then, and used
on the items that come after: an item is never scored by a fit that has seen it.

**Shares** (shares.py). The known classes' shares change all the time, and a change of shares is not novelty. So the
held-out items are weighted to the shares of the stream, pi_k. Without weights every change of shares raises alarms.

**Memberships** (membership.py). What is said of "the stream" can be said of one cluster: items of the window that the
clusterer gave to an announced cluster, against the held-out items weighted likewise and the other clusters' items,

    l_c(x) = log odds that an item at x is of cluster c.

It is how an announced cluster gets its items that lie between the clusterer's balls, or in the region of a known
class. At most REFRESHED memberships are fitted anew at a time, the longest unfitted first: the time of a fit is
bounded however many clusters there are.

**Joins and partings** (joins.py, partings.py). The clusterer parts what no chain of balls connects, and joins what one
does; the same window shows which parts are one, and which cluster is two.

**The operator's rate** (held_out.py, tail.py, gate.py). There are now three reasons to call an item new: its own
p-value is small, r is large there, a cluster claims it. Half of the held-out items take no part in any fit, so they are
to a fit what fresh known items are. Weighted to the stream's shares they turn log r and the largest l_c into p-values,
and then once more the smallest of the three,

    M(x) = min(p_item, p_stream, p_member),       p(x) = weighted share of held-out items with M as small

so that at most the wanted rate of known items has p below it: one number, whatever reasons there are. A stream or a
membership that has no case does not make one: where r is below LEAST_RATIO (half of the items there being new), or
l_c below 0, their p-value counts for the ranking but is not let below the rate. What the clusters' tests know of
known items (emergence.py) comes from the same half.

**Determinism** (fitting.py, window.py). A fit multiplies matrices, so another processor may give other last bits; and
a replay that had to make all fits again would take minutes. So a fit is an entry of the log (`StreamFit`, some 100
numbers, and 200 for each of the memberships it refreshes), and its time in the stream is where that entry is. What is
decided by it is in the log, too. The state is the window, exact (float16 features), the latest fit, and at most
MOST_MEMBERSHIPS memberships.
"""

from service.clustering.stream_gate.gate import StreamGate
from service.clustering.stream_gate.records import FitJob, Judged, Misfit, StreamFit
from service.clustering.stream_gate.shares import cores

__all__ = ["FitJob", "Judged", "Misfit", "StreamFit", "StreamGate", "cores"]
