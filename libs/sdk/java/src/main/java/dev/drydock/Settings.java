package dev.drydock;

import com.electronwill.nightconfig.core.Config;
import com.electronwill.nightconfig.core.io.ParsingException;
import com.electronwill.nightconfig.toml.TomlParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Where the platform is, and with which key it is called. */
record Settings(String host, int port, boolean tls, String url, String apiKey) {
  private static final String DEFAULT_URL = "http://127.0.0.1:8080";
  private static final Map<String, Integer> DEFAULT_PORTS = Map.of("http", 80, "https", 443);

  private record Profile(@Nullable String url, @Nullable String apiKey) {
    static final Profile EMPTY = new Profile(null, null);
  }

  /**
   * From what is given, else the profile that is given, else the environment, else the profile {@code DRYDOCK_PROFILE}, or
   * {@code default}. Profiles are in {@code ~/.config/drydock/config.toml}.
   */
  static Settings resolve(
      @Nullable String url, @Nullable String apiKey, @Nullable String profile, Map<String, String> environment) {
    var file = configFile(environment);
    var chosen = profile == null ? Profile.EMPTY : readProfile(file, profile);
    url = first(url, chosen.url(), environment.get("DRYDOCK_URL"));
    apiKey = first(apiKey, chosen.apiKey(), environment.get("DRYDOCK_API_KEY"));
    if (profile == null && (url == null || apiKey == null)) {
      var other = readProfile(file, first(environment.get("DRYDOCK_PROFILE")));
      url = first(url, other.url());
      apiKey = first(apiKey, other.apiKey());
    }
    if (apiKey == null)
      throw new UnauthenticatedException(
          "no API key: set DRYDOCK_API_KEY, or pass apiKey to Drydock.create()", ErrorDetails.of("CREDENTIAL_INVALID"));
    return read(url == null ? DEFAULT_URL : url, apiKey);
  }

  /** The first that is neither null nor empty. */
  private static @Nullable String first(@Nullable String... texts) {
    return Stream.of(texts).filter(text -> text != null && !text.isEmpty()).findFirst().orElse(null);
  }

  private static Settings read(String url, String apiKey) {
    var refused =
        new InvalidArgumentException("the URL of the platform is such as https://drydock.example.com, not '" + url + "'");
    URI uri;
    try {
      uri = URI.create(url);
    } catch (IllegalArgumentException error) {
      throw refused;
    }
    var scheme = uri.getScheme();
    var path = Objects.requireNonNullElse(uri.getPath(), "");
    var plain = uri.getQuery() == null && uri.getFragment() == null && uri.getUserInfo() == null;
    if (scheme == null || uri.getHost() == null || !plain || !(path.isEmpty() || path.equals("/"))) throw refused;
    var defaultPort = DEFAULT_PORTS.get(scheme);
    if (defaultPort == null) throw refused;
    var port = uri.getPort() < 0 ? defaultPort : uri.getPort();
    return new Settings(uri.getHost(), port, scheme.equals("https"), scheme + "://" + uri.getAuthority(), apiKey);
  }

  private static Path configFile(Map<String, String> environment) {
    var configured = first(environment.get("XDG_CONFIG_HOME"));
    var home = first(environment.get("HOME"), System.getProperty("user.home"));
    var directory = configured == null ? Path.of(Objects.requireNonNullElse(home, ""), ".config") : Path.of(configured);
    return directory.resolve("drydock/config.toml");
  }

  private static Profile readProfile(Path file, @Nullable String named) {
    String text;
    try {
      text = Files.readString(file);
    } catch (NoSuchFileException missing) {
      if (named == null) return Profile.EMPTY;
      throw new InvalidArgumentException("there is no profile '" + named + "': " + file + " does not exist");
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    var name = named == null ? "default" : named;
    Object found = parse(file, text).get(List.of("profiles", name));
    if (found == null && named == null) return Profile.EMPTY;
    if (!(found instanceof Config profile)) throw new InvalidArgumentException(file + " has no profile '" + name + "'");
    return new Profile(textOf(file, name, profile, "url"), textOf(file, name, profile, "api_key"));
  }

  private static Config parse(Path file, String text) {
    try {
      return new TomlParser().parse(text);
    } catch (ParsingException error) {
      // Without its message: it may show the line, which may hold a key.
      throw new InvalidArgumentException(file + " is not TOML");
    }
  }

  private static @Nullable String textOf(Path file, String name, Config profile, String key) {
    Object value = profile.get(key);
    if (value == null || value instanceof String) return first((String) value);
    throw new InvalidArgumentException(file + ": '" + key + "' of profile '" + name + "' is not a text");
  }

  /** Without the key. */
  @Override
  public String toString() {
    return url;
  }
}
