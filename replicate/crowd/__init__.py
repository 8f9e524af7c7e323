"""HIT composition, pages, cost, the MTurk-protocol client, answers, worker quality."""
