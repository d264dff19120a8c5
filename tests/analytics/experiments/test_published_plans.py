"""The boundaries are those of published examples. Each names where it stands and was compared with that text."""

from analytics.experiments.sprt import Simple

# Accept at so many failures or fewer, reject at so many or more, None where that cannot be; from this many samples on.
# The plan is the example of the NIST/SEMATECH e-Handbook of Statistical Methods, 6.2.6 "What is a sequential sampling
# plan?" (https://www.itl.nist.gov/div898/handbook/pmc/section2/pmc26.htm: "for n = 24 the acceptance number is 0 and
# the rejection number is 3"), for which the documentation of the Python package reliability prints the whole table for
# 0 to 100 samples: "Sequential sampling chart", https://reliability.readthedocs.io/en/latest/, in its repository
# https://github.com/MatthewReid854/reliability/blob/86c9330/docs/Sequential%20sampling%20chart.rst
HANDBOOK = {
    0: (None, None),
    2: (None, 2),
    20: (None, 3),
    24: (0, 3),
    46: (0, 4),
    49: (1, 4),
    71: (1, 5),
    74: (2, 5),
    96: (2, 6),
    100: (3, 6),
}


def test_every_line_of_the_table_to_the_plan_of_the_nist_handbook_is_ours():
    plan = Simple(0.01, 0.10, 0.05, 0.10)
    expected = HANDBOOK[0]
    for samples in range(101):
        expected = HANDBOOK.get(samples, expected)
        assert numbers(plan, samples) == expected, samples


def test_where_the_response_of_a_clinical_trial_is_enough_or_too_little():
    # Vignette "Binomial SPRT" of the R package gsDesign (K. Anderson, Merck), "Response rate example",
    # https://keaven.github.io/gsDesign/articles/binomialSPRTExample.html: "tests first after 10 patients. If 4/10 have
    # responded, you can reject the null hypothesis ... If 0 or 1 of 10 have responded, you can conclude that the
    # targeted 35% response rate is not realistic", and at 25 "4 or fewer" accept, "7 or more" reject, 5 or 6 neither.
    plan = Simple(0.10, 0.35, 0.08, 0.20)
    assert numbers(plan, 10) == (1, 4)
    assert numbers(plan, 25) == (4, 7)


def test_the_chances_of_that_trial_to_end_at_either_boundary_are_the_published_ones():
    # The table to it: true rate, probability of crossing the lower and the upper boundary, average sample size.
    # https://keaven.github.io/gsDesign/reference/as_table.html. A boundary that is one off anywhere would change it.
    assert operating(Simple(0.10, 0.35, 0.08, 0.20), first=10, last=25, digits=2, rates=range(10, 50, 5)) == [
        (10, 0.94, 0.04, 12.1),
        (15, 0.78, 0.15, 13.6),
        (20, 0.57, 0.32, 14.3),
        (25, 0.37, 0.53, 14.2),
        (30, 0.22, 0.71, 13.4),
        (35, 0.12, 0.84, 12.5),
        (40, 0.06, 0.92, 11.6),
        (45, 0.03, 0.97, 11.0),
    ]


def test_the_chances_of_a_trial_of_safety_to_end_at_either_boundary_are_the_published_ones():
    # tests/testthat/_snaps/independent-test-as_gt.md, "Snapshot test for gsBinomialExact safety table", in
    # https://github.com/keaven/gsDesign at 2a56888; the vignette shows the same design as its second example.
    assert operating(Simple(0.04, 0.10, 0.04, 0.20), first=4, last=75, digits=3, rates=range(2, 18, 2)) == [
        (2, 0.964, 0.001, 34.8),
        (4, 0.769, 0.019, 46.4),
        (6, 0.506, 0.108, 54.3),
        (8, 0.291, 0.290, 56.1),
        (10, 0.155, 0.516, 52.8),
        (12, 0.079, 0.714, 46.8),
        (14, 0.039, 0.851, 40.2),
        (16, 0.020, 0.930, 34.2),
    ]


def numbers(plan: Simple, trials: int) -> tuple[int | None, int | None]:
    """The most successes with which p0 is believed after so many trials, and the fewest with which p1 is."""
    evidence = [plan.evidence(successes, trials) for successes in range(trials + 1)]
    accepting = [successes for successes, found in enumerate(evidence) if found <= plan.lower]
    rejecting = [successes for successes, found in enumerate(evidence) if found >= plan.upper]
    return max(accepting, default=None), min(rejecting, default=None)


def operating(plan: Simple, *, first: int, last: int, digits: int, rates: range) -> list[tuple]:
    """For each true rate, in percent, the probability to end at the lower and at the upper boundary, and the average
    number of trials, where it is looked after each from `first` to `last`: counted through, not approximated."""
    found = []
    for percent in rates:
        share, low, high, average = percent / 100, 0.0, 0.0, 0.0
        underway = {0: 1.0}  # the probability of so many successes without an end so far
        for trials in range(1, last + 1):
            average += sum(underway.values())
            then: dict[int, float] = {}
            for successes, chance in underway.items():
                then[successes] = then.get(successes, 0.0) + chance * (1 - share)
                then[successes + 1] = then.get(successes + 1, 0.0) + chance * share
            underway = then
            if trials < first:
                continue
            for successes in list(underway):
                if plan.evidence(successes, trials) <= plan.lower:
                    low += underway.pop(successes)
                elif plan.evidence(successes, trials) >= plan.upper:
                    high += underway.pop(successes)
        found.append((percent, round(low, digits), round(high, digits), round(average, 1)))
    return found
