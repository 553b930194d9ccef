"""From what a client sent to items: the protocol of `/stream`, and every form of items that it and `/classify` take."""
