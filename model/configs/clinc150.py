"""CLINC150 with every fourth intent and the out-of-scope questions held out, by the words alone.

TODO
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
