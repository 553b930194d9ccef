"""CLINC150 with every fourth intent and the out-of-scope questions held out, by the words alone.

Settings are also those for any other texts.

Command:  firstseen train --config clinc150
Duration: 75 s of CPU time without the rehearsal (--no-rehearse), as measured here.
Expected, seed 0:

    known accuracy (112 intents)     .943
    known items called new           .021    (asked for: .02; 4144 fresh items)
    AUROC, unseen against fresh      .903
    FPR at 95 % accepted             .466
    caught, out of scope / intents   .52 / .27
    k-means(39) of the unseen        .499

Many of the unseen intents have a known neighbour in the same words ("cancel" and "cancel_reservation"). All classes use
pooled calibration scores: 38 items each are too few for a rate of .02.
"""

from model.config import TrainConfig

HELD_OUT = (
    "oos",
    "accept_reservations",
    "apr",
    "bill_due",
    "calendar",
    "cancel_reservation",
    "change_accent",
    "change_user_name",
    "credit_limit",
    "damaged_card",
    "directions",
    "expiration_date",
    "food_last",
    "gas_type",
    "how_old_are_you",
    "ingredients_list",
    "international_fees",
    "lost_luggage",
    "meaning_of_life",
    "mpg",
    "no",
    "order",
    "payday",
    "pto_balance",
    "recipe",
    "repeat",
    "reset_settings",
    "rewards_balance",
    "schedule_maintenance",
    "shopping_list_update",
    "sync_device",
    "thank_you",
    "tire_change",
    "traffic",
    "travel_alert",
    "update_playlist",
    "weather",
    "what_song",
    "who_made_you",
)
"""Every fourth intent in alphabetical order, and the questions that are none."""

CONFIG = TrainConfig(
    dataset="clinc150",
    hold_out=HELD_OUT,
    network="tfidf",
    embedding_dim=128,
    epochs=20,
    batch_size=128,
    learning_rate=3e-3,
)
