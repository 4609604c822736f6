package drydock

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const profiles = `
[profiles.default]
url = "https://default.example.com"
api_key = "dk_default"
[profiles.other]
url = "https://other.example.com:8443/"
api_key = "dk_other"
`

// withConfig is an environment whose configuration is this text.
func withConfig(t *testing.T, text string, variables map[string]string) func(string) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "drydock"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "drydock/config.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(name string) string {
		if name == "XDG_CONFIG_HOME" {
			return home
		}
		return variables[name]
	}
}

func TestArgumentsWinOverEnvironmentOverProfile(t *testing.T) {
	variables := map[string]string{"DRYDOCK_URL": "http://environment:8080", "DRYDOCK_API_KEY": "dk_environment"}
	for name, test := range map[string]struct {
		given     given
		variables map[string]string
		want      settings
	}{
		"arguments": {
			given{url: "https://given", apiKey: "dk_given"}, variables,
			settings{"given:443", true, "https://given", "dk_given"},
		},
		"environment": {given{}, variables, settings{"environment:8080", false, "http://environment:8080", "dk_environment"}},
		"profile":     {given{}, nil, settings{"default.example.com:443", true, "https://default.example.com", "dk_default"}},
		"a profile that is given": {
			given{profile: "other"}, variables,
			settings{"other.example.com:8443", true, "https://other.example.com:8443", "dk_other"},
		},
		"the profile of the environment": {
			given{apiKey: "dk_given"}, map[string]string{"DRYDOCK_PROFILE": "other"},
			settings{"other.example.com:8443", true, "https://other.example.com:8443", "dk_given"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolveSettings(test.given, withConfig(t, profiles, test.variables))
			if err != nil || got != test.want {
				t.Errorf("got %+v and %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestWhatIsWrongInAProfileIsToldWithoutItsKey(t *testing.T) {
	for name, text := range map[string]string{
		"no TOML": "[profiles.default]\napi_key = dk_secret\n",
		"no text": "[profiles.default]\napi_key = 12\nurl = \"dk_secret\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := resolveSettings(given{}, withConfig(t, text, nil))
			if !errors.Is(err, ErrInvalidArgument) || strings.Contains(err.Error(), "dk_secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAProfileThatIsNamedHasToBeThere(t *testing.T) {
	_, err := resolveSettings(given{profile: "none"}, withConfig(t, profiles, nil))
	if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), `no profile "none"`) {
		t.Errorf("got %v", err)
	}
	nowhere := func(string) string { return "/nowhere" }
	_, err = resolveSettings(given{profile: "none"}, nowhere)
	if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("got %v", err)
	}
}
