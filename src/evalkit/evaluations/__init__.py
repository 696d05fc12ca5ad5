"""The evaluations: a study and tables in, Results out.

`effect` and `economy` (are the goals reached, at what net cost), `panel` (the municipal tables), `mechanism` (what
happens to whom on the way), `user` (how it is experienced), `monitoring` (the minister's questions). None knows
how its answers are released or drawn.
"""
