package docs_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hstockbot/internal/config"
	"hstockbot/storage"
)

const composeFile = "compose.yaml"

// composeSecrets is what the profile postgres needs in .env beside what .env.example sets.
var composeSecrets = []string{
	"WEBHOOK_HOST=bot.example.com", "WEBHOOK_SECRET=canary-1", "SECRET_KEY=canary-2",
	"POSTGRES_PASSWORD=canary3", "REPLICATION_PASSWORD=canary4",
}

// loadCompose loads compose.yaml as docker compose does, with .env.example and the lines
// as .env. profiles are those of the command line.
func loadCompose(t *testing.T, profiles, lines []string) (*types.Project, error) {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "docs/compose"), os.DirFS("docs/compose")); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(composeFile, readFile(t, composeFile))
	write(".env", readFile(t, ".env.example")+strings.Join(lines, "\n"))
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, composeFile)},
		cli.WithWorkingDirectory(folder), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithDefaultProfiles(profiles...))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

func mustLoadCompose(t *testing.T, profiles, lines []string) *types.Project {
	t.Helper()
	project, err := loadCompose(t, profiles, lines)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// TestComposeProfiles: no command starts a service of the other profile, and the profile
// sqlite needs nothing but a token.
func TestComposeProfiles(t *testing.T) {
	t.Chdir(repository)
	sqlite := []string{"bot"}
	postgres := []string{"bot1", "bot2", "bot3", "caddy", "postgres1", "postgres2"}
	for _, test := range []struct {
		name            string
		profiles, lines []string
		want            []string
	}{
		{"docker compose up", nil, nil, sqlite},
		{"docker compose --profile sqlite up", []string{"sqlite"}, nil, sqlite},
		{"docker compose --profile postgres up", []string{"postgres"}, composeSecrets, postgres},
		{"docker compose up with COMPOSE_PROFILES=postgres", nil, append([]string{"COMPOSE_PROFILES=postgres"}, composeSecrets...), postgres},
	} {
		t.Run(test.name, func(t *testing.T) {
			names := mustLoadCompose(t, test.profiles, test.lines).ServiceNames()
			if diff := cmp.Diff(test.want, names, cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestComposeRequires(t *testing.T) {
	t.Chdir(repository)
	for i, line := range composeSecrets {
		name, _, _ := strings.Cut(line, "=")
		for _, lines := range [][]string{{name + "="}, nil} {
			lines = append(lines, slices.Delete(slices.Clone(composeSecrets), i, i+1)...)
			_, err := loadCompose(t, []string{"postgres"}, lines)
			if err == nil || !strings.Contains(err.Error(), "required variable "+name+" ") {
				t.Errorf("without %s: got %v", name, err)
			}
		}
	}
}

// hardening is what a service may do.
type hardening struct {
	Restart, Pid, NetworkMode    string
	ReadOnly, Privileged         bool
	CapDrop, CapAdd, SecurityOpt []string
	PidsLimit                    int64
	Ulimits                      map[string]*types.UlimitsConfig
}

// TestComposeHardening: each container can do as little as possible.
func TestComposeHardening(t *testing.T) {
	t.Chdir(repository)
	for _, profile := range []string{"sqlite", "postgres"} {
		project := mustLoadCompose(t, []string{profile}, composeSecrets)
		for name, s := range project.Services {
			got := hardening{
				Restart: s.Restart, ReadOnly: s.ReadOnly, Privileged: s.Privileged, Pid: s.Pid, NetworkMode: s.NetworkMode,
				CapDrop: s.CapDrop, CapAdd: s.CapAdd, SecurityOpt: s.SecurityOpt, PidsLimit: s.PidsLimit, Ulimits: s.Ulimits,
			}
			want := hardening{
				Restart: "unless-stopped", ReadOnly: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges:true"},
				PidsLimit: 256, Ulimits: map[string]*types.UlimitsConfig{"core": {}},
			}
			var ports []string
			if name == "caddy" {
				want.CapAdd = []string{"NET_BIND_SERVICE"}
				ports = []string{"80", "443"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if s.MemLimit <= 0 || s.MemLimit > 1<<30 || !slices.Contains(s.Tmpfs, "/tmp") {
				t.Errorf("%s: memory %d, in memory %q", name, s.MemLimit, s.Tmpfs)
			}
			var published []string
			for _, port := range s.Ports {
				published = append(published, port.Published)
			}
			if !slices.Equal(published, ports) {
				t.Errorf("%s: publishes %q, want %q", name, published, ports)
			}
			if isServer, onNetwork := strings.HasPrefix(name, "postgres"), s.Networks; isServer && len(onNetwork) != 1 {
				t.Errorf("%s: is in %d networks", name, len(onNetwork))
			}
			if _, reaches := s.Networks["database"]; reaches != (profile == "postgres" && name != "caddy") {
				t.Errorf("%s: reaches the database: %t", name, reaches)
			}
		}
		if network, ok := project.Networks["database"]; ok && !network.Internal {
			t.Error("the database reaches the Internet")
		}
	}
}

// ownEnvironment returns the variables of a service that are not in .env.
func ownEnvironment(t *testing.T, s *types.ServiceConfig) map[string]string {
	t.Helper()
	common := readFile(t, ".env.example") + "\n" + strings.Join(composeSecrets, "\n")
	own := map[string]string{}
	for name, value := range s.Environment {
		if !regexp.MustCompile(`(?m)^`+name+`=`).MatchString(common) || strings.HasSuffix(name, "_SECRET") || strings.HasSuffix(name, "_KEY") {
			own[name] = *value
		}
	}
	return own
}

// TestComposeCopies: the copies differ in nothing, and fit Caddy and the two servers.
func TestComposeCopies(t *testing.T) {
	t.Chdir(repository)
	project := mustLoadCompose(t, []string{"postgres"}, composeSecrets)
	first := project.Services["bot1"]
	want := map[string]string{
		"DATABASE_FAILOVER": string(storage.FailoverSynchronous),
		"DATABASE_URL":      "postgres://hstockbot:canary3@postgres1,postgres2/hstockbot?target_session_attrs=read-write&connect_timeout=2",
		"HTTP_ADDR":         "0.0.0.0:8080",
		"SECRET_KEY":        "canary-2",
		"WEBHOOK_ADDR":      "0.0.0.0:8443",
		"WEBHOOK_SECRET":    "canary-1",
		"WEBHOOK_URL":       "https://bot.example.com/telegram",
	}
	own := ownEnvironment(t, &first)
	if diff := cmp.Diff(want, own); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	var settings []string
	for _, s := range config.Settings() {
		settings = append(settings, s.Name)
	}
	for name := range own {
		checkNames(t, composeFile, "setting", []string{name}, settings)
	}
	if hosts := storage.Hosts(own["DATABASE_URL"]); hosts != 2 {
		t.Errorf("DATABASE_URL names %d servers", hosts)
	}
	if grace := time.Duration(*first.StopGracePeriod); grace <= 8*time.Second {
		t.Errorf("a copy is killed after %v", grace)
	}
	for _, name := range []string{"bot2", "bot3"} {
		other := project.Services[name]
		other.Name = first.Name
		if diff := cmp.Diff(first, other); diff != "" {
			t.Errorf("bot1 and %s differ:\n%s", name, diff)
		}
	}

	caddyfile := readFile(t, "docs/compose/Caddyfile")
	hook, err := url.Parse(own["WEBHOOK_URL"])
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"handle " + hook.Path + " {", "reverse_proxy bot1:8443 bot2:8443 bot3:8443 {", "health_port 8080", "health_uri /readyz", "{$WEBHOOK_HOST} {"} {
		if !regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(line) + `$`).MatchString(caddyfile) {
			t.Errorf("the Caddyfile has no line %q", line)
		}
	}
	if host := *project.Services["caddy"].Environment["WEBHOOK_HOST"]; host != hook.Host {
		t.Errorf("Caddy serves %q, the webhook is at %q", host, hook.Host)
	}
}

// TestComposeServers: the two PostgreSQL servers differ in their names and volumes only.
func TestComposeServers(t *testing.T) {
	t.Chdir(repository)
	services := mustLoadCompose(t, []string{"postgres"}, composeSecrets).Services
	for name, peer := range map[string]string{"postgres1": "postgres2", "postgres2": "postgres1"} {
		s := services[name]
		want := map[string]string{
			"SERVER": name, "PEER": peer, "PRIMARY": "postgres1", "PGDATA": "/var/lib/postgresql/data/pgdata",
			"POSTGRES_PASSWORD": "canary3", "REPLICATION_PASSWORD": "canary4",
		}
		got := map[string]string{}
		for variable, value := range s.Environment {
			got[variable] = *value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if v := s.Volumes; len(v) != 1 || v[0].Source != name || !strings.HasPrefix(want["PGDATA"], v[0].Target) {
			t.Errorf("%s: volumes %v", name, v)
		}
		if s.User != "postgres" || s.Image != services[peer].Image {
			t.Errorf("%s: user %q, image %s", name, s.User, s.Image)
		}
	}
}

// TestComposeSQLite: a bot that runs already keeps its volume.
func TestComposeSQLite(t *testing.T) {
	t.Chdir(repository)
	s := mustLoadCompose(t, nil, nil).Services["bot"]
	if database := *s.Environment["DATABASE_URL"]; database != "sqlite:/data/bot.db" {
		t.Errorf("DATABASE_URL=%s", database)
	}
	if v := s.Volumes; len(v) != 1 || v[0].Source != "data" || v[0].Target != "/data" {
		t.Errorf("volumes %v", v)
	}
}

// TestComposeWithoutSecrets: passwords and keys are in .env only.
func TestComposeWithoutSecrets(t *testing.T) {
	t.Chdir(repository)
	paths, err := filepath.Glob("docs/compose/*")
	if err != nil || len(paths) != 4 {
		t.Fatal(paths, err)
	}
	literal := regexp.MustCompile(`(?m)^\s*\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*\s*[:=]\s*[^\s$].*|://\w+:[^\s@$]+@.*`)
	for _, path := range append(paths, composeFile) {
		for _, line := range literal.FindAllString(readFile(t, path), -1) {
			t.Errorf("%s: %s", path, line)
		}
	}
}
