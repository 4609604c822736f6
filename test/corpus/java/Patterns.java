import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.LinkedHashMap;
import java.util.regex.Pattern;

public class Patterns {
    private static final List<String> VARIANTS = List.of(
            "agggtaaa|tttaccct", "[cgt]gggtaaa|tttaccc[acg]", "a[act]ggtaaa|tttacc[agt]t",
            "agg[act]taaa|ttta[agt]cct", "ag[act]gtaaa|tttac[agt]ct", "ata[cg]t", "gg+t?a");

    public static void main(String[] args) throws IOException {
        String text = new String(System.in.readAllBytes(), StandardCharsets.ISO_8859_1);
        String bare = text.replaceAll(">.*\n|\n", "");
        for (String variant : VARIANTS)
            System.out.println(variant + " " + Pattern.compile(variant).matcher(bare).results().count());

        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("tHa[Nt]", "<4>");
        codes.put("aND|caN|Ha[DS]|WaS", "<3>");
        codes.put("a[NSt]|BY", "<2>");
        codes.put("[BDHKMNRSVWY]", "*");
        String replaced = bare;
        for (var code : codes.entrySet()) replaced = replaced.replaceAll(code.getKey(), code.getValue());
        System.out.println("\n" + text.length() + "\n" + bare.length() + "\n" + replaced.length());
    }
}
