package drydock

import (
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
)

const defaultURL = "http://127.0.0.1:8080"

// settings say where the platform is, and with which key it is called.
type settings struct {
	address string
	tls     bool
	url     string
	apiKey  string
}

type given struct{ url, apiKey, profile string }

type profile struct {
	URL    string `toml:"url"`
	APIKey string `toml:"api_key"`
}

// resolveSettings takes what is given, else the profile that is given, else DRYDOCK_URL and DRYDOCK_API_KEY, else the profile
// DRYDOCK_PROFILE, or default.
func resolveSettings(given given, environment func(string) string) (settings, error) {
	var chosen profile
	var err error
	if given.profile != "" {
		if chosen, err = readProfile(environment, given.profile); err != nil {
			return settings{}, err
		}
	}
	address := first(given.url, chosen.URL, environment("DRYDOCK_URL"))
	apiKey := first(given.apiKey, chosen.APIKey, environment("DRYDOCK_API_KEY"))
	if given.profile == "" && (address == "" || apiKey == "") {
		if chosen, err = readProfile(environment, environment("DRYDOCK_PROFILE")); err != nil {
			return settings{}, err
		}
		address, apiKey = first(address, chosen.URL), first(apiKey, chosen.APIKey)
	}
	if apiKey == "" {
		return settings{}, &Error{
			Reason:  "CREDENTIAL_INVALID",
			Message: "no API key: set DRYDOCK_API_KEY, or pass drydock.WithAPIKey to drydock.New",
			kind:    ErrUnauthenticated,
		}
	}
	return readURL(first(address, defaultURL), apiKey)
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

func readURL(address, apiKey string) (settings, error) {
	parsed, err := url.Parse(address)
	ports := map[string]string{"http": "80", "https": "443"}
	if err != nil || ports[parsed.Scheme] == "" || parsed.Hostname() == "" || parsed.User != nil ||
		(parsed.Path != "" && parsed.Path != "/") || parsed.RawQuery != "" || parsed.Fragment != "" {
		return settings{}, invalid("the URL of the platform is such as https://drydock.example.com, not %q", address)
	}
	port := first(parsed.Port(), ports[parsed.Scheme])
	return settings{
		address: net.JoinHostPort(parsed.Hostname(), port),
		tls:     parsed.Scheme == "https",
		url:     parsed.Scheme + "://" + parsed.Host,
		apiKey:  apiKey,
	}, nil
}

func configFile(environment func(string) string) (string, error) {
	directory := environment("XDG_CONFIG_HOME")
	if directory == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		directory = filepath.Join(home, ".config")
	}
	return filepath.Join(directory, "drydock", "config.toml"), nil
}

// readProfile reads the profile default where none is named, which need not be there.
func readProfile(environment func(string) string, name string) (profile, error) {
	file, err := configFile(environment)
	if err != nil {
		if name == "" {
			return profile{}, nil
		}
		return profile{}, invalid("there is no profile %q: %v", name, err)
	}
	var config struct {
		Profiles map[string]profile `toml:"profiles"`
	}
	if _, err := toml.DecodeFile(file, &config); err != nil {
		switch {
		case !errors.Is(err, fs.ErrNotExist):
			return profile{}, unreadable(file, err)
		case name != "":
			return profile{}, invalid("there is no profile %q: %s does not exist", name, file)
		}
	}
	found, exists := config.Profiles[first(name, "default")]
	if !exists && name != "" {
		return profile{}, invalid("%s has no profile %q", file, name)
	}
	return found, nil
}

// unreadable leaves out the parser's own message: it shows the line, which may hold a key.
func unreadable(file string, err error) error {
	var malformed toml.ParseError
	if errors.As(err, &malformed) {
		return invalid("%s is not TOML (line %d)", file, malformed.Position.Line)
	}
	var unopened *fs.PathError
	if errors.As(err, &unopened) {
		return invalid("%s cannot be read: %v", file, unopened.Err)
	}
	return invalid("%s: url and api_key of a profile are texts", file)
}
