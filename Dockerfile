# syntax=docker/dockerfile:1

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/quipu
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY clients/python clients/python
COPY server server
# In one command: the server depends on the client of this checkout, not on a package of that name elsewhere.
RUN /opt/quipu/bin/pip install ./clients/python .

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/quipu --shell /usr/sbin/nologin quipu \
 && install --directory --owner quipu --group quipu --mode 0700 /var/lib/quipu
COPY --from=build /opt/quipu /opt/quipu
ENV PATH=/opt/quipu/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    QUIPU_DATA_DIR=/var/lib/quipu \
    QUIPU_LOG_FORMAT=json
USER 10001:10001
VOLUME /var/lib/quipu
EXPOSE 50051
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["quipu", "doctor", "--health"]
# It listens on loopback inside the container; to publish the port, set QUIPU_HOST and QUIPU_INSECURE_NO_AUTH (deploy/).
ENTRYPOINT ["quipu"]
CMD ["serve"]
