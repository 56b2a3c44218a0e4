# Two stages: the first builds the virtual environment from the locked dependencies, the second only runs it.
FROM debian:12-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock pyproject.toml README.md ./
RUN python3 -m venv /opt/sealpost \
    && /opt/sealpost/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY gateway ./gateway
RUN /opt/sealpost/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10025 --home-dir /var/spool/sealpost --shell /usr/sbin/nologin sealpost \
    && install -d -o sealpost -g sealpost -m 0700 /var/spool/sealpost \
    && install -d -o root -g sealpost -m 0750 /etc/sealpost /etc/sealpost/certs
COPY --from=build /opt/sealpost /opt/sealpost
COPY policies /usr/share/sealpost/policies
# The root file system may be read-only: mail lives in the spool, keys in certs, and /run/sealpost is a tmpfs.
ENV PATH=/opt/sealpost/bin:$PATH PYTHONDONTWRITEBYTECODE=1 TMPDIR=/run/sealpost
VOLUME ["/var/spool/sealpost", "/etc/sealpost/certs"]
USER sealpost
EXPOSE 2525 8443 9125
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD \
    ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9125/readyz', timeout=4)"]
ENTRYPOINT ["sealpost"]
CMD ["run", "--config", "/etc/sealpost/sealpost.toml"]
