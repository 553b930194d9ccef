"""MNIST with 3 and 7 held out, on 20,000 of its 70,000 items.

Command:  firstseen train mnist --hold-out 3,7
Duration: 34 s on two cores, 55 s of CPU time.
Expected, seed 0:

    known accuracy              .988
    known items called new      .016    (asked for: .02)
    AUROC, unseen against fresh .976
    FPR at 95 % accepted        .112
    caught, 3 / 7               .47 / .39
    k-means(2) of the unseen    .968

Every class has its own calibration scores.
"""

from model.config import TrainConfig

CONFIG = TrainConfig(
    dataset="mnist", hold_out=("3", "7"), auxiliary="two-views", epochs=8, batch_size=128, threads=1
)
