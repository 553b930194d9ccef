"""Digits with 3 and 7 held out: the run of the demo.

Settings are the defaults. `firstseen train digits` alone has the same, and holds nothing out.

Command:  firstseen train digits --hold-out 3,7
Duration: 4 to 8 s on two shared cores, 7 to 12 s of CPU time.
Expected, seeds 0, 1, 2:

    known accuracy              .997   1.000  1.000
    known items called new      .022   .020   .031    (asked for: .02; 356 fresh items)
    AUROC, unseen against fresh .994   .989   .985
    FPR at 95 % accepted        .014   .044   .088
    caught, 3 / 7               .84 / .99   .80 / .99   .64 / .96
    k-means(2) of the unseen    .978   .975   .992

The other nets and objectives, seed 0 (`--network`, `--objective`):

    net  objective     known acc.  AUROC  FPR95  caught 3 / 7  k-means(2)  seconds
    cnn  proxy-anchor  .997        .994   .014   .84 / .99     .978        4
    cnn  hinge         .997        .998   .003   .97 / .98     .840        4
    cnn  rbf           1.000       .999   .003   .94 / .98     .760        4
    mlp  proxy-anchor  .986        .956   .235   .35 / .42     .682        7
    mlp  hinge         .980        .949   .351   .35 / .31     .699        5
    mlp  rbf           .983        .956   .229   .45 / .60     .669        5

The net matters more than the objective. On the CNN hinge and RBF refuse new classes best, item by item, and
proxy-anchor is the one under which two new classes come apart from each other, which finding them needs:
hence the default. All eight classes use pooled calibration scores, since about 45 items each are too few
for a rate of .02.
"""

from model.config import TrainConfig

CONFIG = TrainConfig(dataset="digits", hold_out=("3", "7"))
