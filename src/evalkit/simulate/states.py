"""The states of the latent process as small whole numbers, and the weeks at which law changes them."""

from evalkit import weeks

STATES = (
    "NONE", "EMPLOYED", "EDUCATION", "RETIREMENT", "DEATH", "EMIGRATION",
    "CASH_BENEFIT_READY", "CASH_BENEFIT_ACTIVITY", "EDUCATION_BENEFIT_READY", "EDUCATION_BENEFIT_ACTIVITY",
    "INTEGRATION_BENEFIT", "UNEMPLOYMENT_BENEFIT", "SICKNESS_BENEFIT", "JOB_CLARIFICATION", "RESOURCE_COURSE",
    "REHABILITATION", "UNEMPLOYMENT_ALLOWANCE", "FLEX_JOB", "DISABILITY_PENSION", "MATERNITY_BENEFIT",
)
NUMBER = {name: number for number, name in enumerate(STATES)}
FIRST_SUPPORT = NUMBER["CASH_BENEFIT_READY"]
TARGET = tuple(range(FIRST_SUPPORT, NUMBER["SICKNESS_BENEFIT"] + 1))
# Social assistance under any of its names: a fully sanctioned week of these is never paid.
SOCIAL_ASSISTANCE = tuple(range(FIRST_SUPPORT, NUMBER["INTEGRATION_BENEFIT"] + 1))

ACTIVITIES = (
    "", "PRAKTIK", "LOENTIL", "NYTTE", "ORD_TIMER", "IPS", "VEJL_OPK", "UDD", "SUNDHED", "MISBRUG", "MENTOR",
    "SOCIAL",
)
ACTIVITY = {name: number for number, name in enumerate(ACTIVITIES)}

STAGES = (
    "plain", "job_clarification", "resource_course", "rehabilitation", "allowance", "flex_job", "pension",
    "maternity",
)
STAGE = {name: number for number, name in enumerate(STAGES)}

# Law: the first week under each rule.
RESOURCE_COURSE_FROM = weeks.week_of("2013-01-07")
EDUCATION_BENEFIT_FROM = weeks.week_of("2014-01-06")
JOB_CLARIFICATION_FROM = weeks.week_of("2014-07-07")
INTEGRATION_NEWCOMERS_FROM = weeks.week_of("2015-09-07")
INTEGRATION_ALL_FROM = weeks.week_of("2016-07-04")
RULE_225H_FROM = weeks.week_of("2016-10-03")
