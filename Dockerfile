# syntax=docker/dockerfile:1
# docker build -t hstockbot --build-arg VERSION="$(git describe --tags --always)" \
#   --build-arg COMMIT="$(git rev-parse HEAD)" .
# Images are pinned by digest; .github/dependabot.yml proposes newer ones.
# Go compiles for the image's platform on that of the machine.
FROM --platform=$BUILDPLATFORM golang:1.26.4@sha256:792443b89f65105abba56b9bd5e97f680a80074ac62fc844a584212f8c8102c3 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown COMMIT DATE TARGETOS TARGETARCH
RUN GOOS="$TARGETOS" GOARCH="$TARGETARCH" make build BINARY=/out/hstockbot VERSION="$VERSION" COMMIT="$COMMIT" DATE="$DATE" && \
	mkdir -m 0700 /out/data

# Root certificates, time zones, /tmp, and a user that is not root; no shell.
FROM gcr.io/distroless/static:nonroot@sha256:963fa6c544fe5ce420f1f54fb88b6fb01479f054c8056d0f74cc2c6000df5240
COPY --from=build /out/hstockbot /hstockbot
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV DATABASE_URL=sqlite:/data/bot.db
VOLUME /data
USER nonroot:nonroot
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/hstockbot", "healthcheck"]
ENTRYPOINT ["/hstockbot"]
