"""What an operator asks of a gateway: its keys, its ledger, its models and providers, its configuration.

Asked over HTTP (`application`, which the admin process serves) and by the command line, which shares everything but the HTTP.
Nothing here is on the way of a caller's request.
"""
