"""Names of a translation's pictures for the metrics: `<domain>` is a real set, `to_<domain>` the set made for it.

Source: ours; the names are those of system.satnet.
"""

MADE = "to_"


def made_domains(pictures):
    """Domains for which something was made, in the order of the batch. Source: ours."""
    return [key.removeprefix(MADE) for key in pictures if key.startswith(MADE)]


def compared_sets(domains):
    """{score: (name of a set, domain it is held against)}.

    `<domain>` is what was made for the domain; `<domain>_untranslated` the other domain's pictures as they are, what a
    translation that does nothing would get.

    Source: ours.
    """
    pairs = {}
    for domain in domains:
        pairs[domain] = (MADE + domain, domain)
        pairs |= {f"{domain}_untranslated": (other, domain) for other in domains if other != domain}
    return pairs
