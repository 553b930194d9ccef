# One image that trains and serves.
#
#     build    a virtual environment: torch, then the other dependencies, then firstseen, in the order in which
#              they change, so that a new line of source reinstalls nothing but firstseen; and the clusterer compiled
#              for the processor that builds, which needs about 20 seconds (another one compiles again at start)
#     (last)   that environment on a bare Python, as a user without a name, rights or a writable root
#
# Build it from the top of the repository:
#
#     docker build -f docker/service.Dockerfile -t firstseen .
#
# Writable paths, each meant for a volume: /bundles (trained bundles), /datasets (downloads), /state (the
# embedded store, unused with FIRSTSEEN_REDIS_URL). /tmp must be writable too; the rest may be read-only.

FROM python:3.11-slim-bookworm AS build

# Where torch comes from. The CPU build is a tenth of the size; empty takes what the package index has, which on
# Linux is the CUDA build. It is an extra index for torch alone, so where it cannot be reached (after two tries)
# torch is taken from whatever index or folder pip is configured with.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
# A mirror of the package index; unset is pip's own.
ARG PIP_INDEX_URL

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

RUN python -m venv /opt/firstseen
ENV PATH=/opt/firstseen/bin:$PATH

WORKDIR /src
COPY constraints.txt ./
RUN pip install --no-deps --retries 2 ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} \
        -c constraints.txt torch

COPY pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > requirements.txt \
    && pip install -c constraints.txt -r requirements.txt

COPY . .
# What the dashboard is drawn with, unless the build context has it (`make dashboard`); from npm, or a mirror of it.
ARG NPM_REGISTRY=https://registry.npmjs.org
RUN python -m service.dashboard.fetch --registry "$NPM_REGISTRY"
RUN pip install --no-deps . \
    && pip uninstall --yes pip
# From elsewhere: here, `service` would be the source, not what was installed.
WORKDIR /
RUN python -m service.compiling.precompile


FROM python:3.11-slim-bookworm

RUN install -d -o 10001 -g 10001 /bundles /datasets /state
COPY --from=build /opt/firstseen /opt/firstseen
COPY docker/first_bundle.sh /opt/firstseen/bin/first_bundle

# One thread a call: batches are small, and threads that wait for each other cost more than they bring.
ENV PATH=/opt/firstseen/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    HOME=/tmp \
    FIRSTSEEN_HOST=0.0.0.0 \
    FIRSTSEEN_DATA=/datasets \
    FIRSTSEEN_DATA_DIR=/state

# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /
EXPOSE 8765

# Ready, not only alive: unhealthy while the store is away. What is restarted for being unhealthy should ask
# /livez instead.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8765/readyz', timeout=2)"]

# Exec form: SIGTERM reaches the service itself, which drains, saves a snapshot and ends with 0.
ENTRYPOINT ["firstseen"]
CMD ["serve", "/bundles/digits"]
