"""Digits with 3 and 7 held out: the run of the demo.

Settings are the defaults. `firstseen train digits` alone has the same, and holds nothing out.

Command:  firstseen train digits --hold-out 3,7
Duration: 12 s of CPU time on one thread, half of it the rehearsal.
Expected, seeds 0, 1, 2, on two threads, the default:

    known accuracy              .994   .997   .997
    known items called new      .020   .017   .022    (asked for: .02; 356 fresh items)
    AUROC, unseen against fresh .990   .989   .988
    FPR at 95 % accepted        .050   .058   .055
    caught, 3 / 7               .76 / .89   .69 / .95   .71 / .97
    k-means(2) of the unseen    .848   .981   .997

and on one, `--threads 1`, which adds up in another order and so is another run, as by another seed:

    known accuracy              .994   .994   .994
    known items called new      .017   .011   .025
    AUROC, unseen against fresh .994   .985   .983
    FPR at 95 % accepted        .017   .102   .097
    caught, 3 / 7               .86 / .92   .55 / .96   .62 / .96
    k-means(2) of the unseen    .878   .981   .997

The other nets and objectives, seed 0, two threads (`--network`, `--objective`):

    net  objective     known acc.  AUROC  FPR95  caught 3 / 7  k-means(2)
    cnn  proxy-anchor  .994        .990   .050   .76 / .89     .848
    cnn  hinge         1.000       .998   .003   .94 / .97     .793
    cnn  rbf           .997        .998   .003   .98 / .98     .809
    mlp  proxy-anchor  .992        .949   .359   .16 / .26     .699
    mlp  hinge         .983        .953   .337   .42 / .51     .633
    mlp  rbf           .992        .946   .420   .39 / .52     .641

The net matters more than the objective. On the CNN hinge and RBF refuse new classes best, item by item, and
proxy-anchor is the one under which two new classes come apart from each other, which finding them needs:
hence the default. All eight classes use pooled calibration scores, since about 45 items each are too few
for a rate of .02.
"""

from model.config import TrainConfig

CONFIG = TrainConfig(dataset="digits", hold_out=("3", "7"))
