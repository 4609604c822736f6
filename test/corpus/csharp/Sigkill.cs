using System.Diagnostics;

static class Sigkill {
    static void Main() {
        Process.GetCurrentProcess().Kill();
    }
}
