"""Plans for other programs and for other people: scripts, playbooks, tables, pictures.

Names of guests and hosts come from others and may hold anything: each form quotes them in its own
way, and none is ever read as a command, a template, a formula or markup.
"""
