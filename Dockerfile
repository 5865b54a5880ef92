# syntax=docker/dockerfile:1
# docker build -t hstockbot --build-arg VERSION="$(git describe --tags --always)" .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN make build BINARY=/out/hstockbot VERSION="$VERSION" && mkdir -m 0700 /out/data

# Root certificates, time zones, /tmp, and a user that is not root; no shell.
FROM gcr.io/distroless/static:nonroot
COPY --from=build /out/hstockbot /hstockbot
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV DATABASE_URL=sqlite:/data/bot.db
VOLUME /data
USER nonroot:nonroot
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/hstockbot", "healthcheck"]
ENTRYPOINT ["/hstockbot"]
