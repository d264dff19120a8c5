"""Test contact: one person, real or invented, goes through a definition in a scratch, under a clock that jumps.

The production engine, the production gate and a clock of our own decide everything, so what is told is what would
happen; and since it happens in a scratch, nothing is sent, nobody is enrolled and nothing is counted.

    process.warm()                # while somebody still chooses whom to try
    answer = process.ask(trial)   # a mapping, as `telling.tell` describes it; raises Unanswered

Doors: `asked.Trial` says what is wanted; `process` answers, from a web process. What happens in the scratch is
`playing.play`: `filling` brings one person's world, `telling` says what came of it.
"""
