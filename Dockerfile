# Two stages: one builds wheels from the pinned list, one runs them. The runtime holds no compiler,
# no torch and nothing of training, and is not root. It asks everybody for an API key; make the first:
#   docker exec CONTAINER python -m service keys create me --scope recommend --scope outcomes
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml README.md ./
COPY requirements requirements
COPY features features
COPY models models
COPY service service
# The package is built from the serving rooms alone: training stays out of the image.
# What it needs, and what builds it, is taken by hash and never built from source (`make lock`).
RUN sed -i 's/, "training"//' pyproject.toml \
    && python -m venv /opt/build && python -m venv /opt/venv \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r requirements/build.lock \
    && /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheel . \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r requirements/runtime.lock \
    && /opt/venv/bin/pip install --no-deps --no-index wheel/*.whl

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
