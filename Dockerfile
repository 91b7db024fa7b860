# One image for every Airflow service and for the command line.
FROM python:3.12-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    GX_ANALYTICS_ENABLED=false \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/clusterbridge/dags

RUN useradd --create-home --uid 50000 --gid 0 airflow \
    && mkdir -p "$AIRFLOW_HOME" /data \
    && chown -R airflow:0 "$AIRFLOW_HOME" /data

WORKDIR /opt/clusterbridge

# The locked packages change seldom, the project often: two layers.
COPY requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY etl ./etl
COPY schemas ./schemas
COPY expectations ./expectations
COPY dags ./dags
RUN pip install --no-deps --no-build-isolation .

USER airflow
CMD ["clusterbridge", "--help"]
