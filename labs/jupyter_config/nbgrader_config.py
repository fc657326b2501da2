"""nbgrader as a learner has it: the exchange is the intake, over HTTP."""

import os

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - traitlets gives it to configuration files

c.ExchangeFactory.exchange = "labs.exchange.plugin.HttpExchange"
c.ExchangeFactory.list = "labs.exchange.plugin.HttpList"
c.ExchangeFactory.fetch_assignment = "labs.exchange.plugin.HttpFetchAssignment"
c.ExchangeFactory.fetch_feedback = "labs.exchange.plugin.HttpFetchFeedback"
c.ExchangeFactory.submit = "labs.exchange.plugin.HttpSubmit"
c.HttpExchange.path_includes_course = True
c.HttpExchange.timezone = os.environ.get("TZ") or "UTC"
