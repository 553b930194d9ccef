"""Webhooks: what becomes of clusters, told to addresses that people give (docs/webhooks.md).

    outbox ─► intake: which event goes to which hook ─► pending, and the cursor, in one step
    pending ─► sending: signed, to a checked address ─► delivered, or tried again later; logged

Pure: signing, schedule, rules, addresses, hooks. With IO: posting, register, teller, webhooks. The bytes are kept by
`service.state.hook_box`.
"""
