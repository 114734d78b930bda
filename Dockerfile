# Two stages: one builds wheels from the pinned list, one runs them. The runtime holds no compiler,
# no torch and nothing of training, and is not root. It asks everybody for an API key; make the first:
#   docker exec CONTAINER python -m service keys create me --scope recommend --scope outcomes
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md ./
COPY features features
COPY models models
COPY service service
# The package is built from the serving rooms alone: training stays out of the image.
RUN sed -i 's/, "training"//' pyproject.toml \
    && python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.11-slim
# LightGBM needs OpenMP's runtime.
RUN apt-get update && apt-get install --no-install-recommends -y libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 creatorfit \
    && install --directory --owner creatorfit /var/lib/creatorfit /var/lib/creatorfit-bundles
COPY --from=build /opt/venv /opt/venv
USER creatorfit
WORKDIR /home/creatorfit
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    CREATORFIT_HOME=/var/lib/creatorfit \
    CREATORFIT_HOST=0.0.0.0 \
    CREATORFIT_ACCESS=keys
VOLUME /var/lib/creatorfit
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD \
    python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"
CMD ["python", "-m", "service", "serve"]
