"""The forms that items come in and answers leave in. One file a form; `table.py` lists them.

    content type ─► Format.read(body, head, spec, limits) ─► [Item | Refused, ...] ─► queue ─► answers ─► Accept

A reader gets a whole body, decompressed and within its limit, and gives an item or a refusal for each that was sent, in
order. It raises a `ClientError` when the body as a whole cannot be understood, and nothing else: this is what the
property tests throw bytes at. What takes long is not done in the event loop, or in turns.

Three files help: `head.py` (the headers, read once), `objects.py` (items as JSON and MessagePack have them) and
`pictures.py` (PNG and JPEG, decoded in a thread of their own).
"""
