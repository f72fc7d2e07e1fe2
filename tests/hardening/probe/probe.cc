// Built with a preset's flags to see what they do: a buffer on the stack for the stack protector, and a copy into it of
// a size that only the start knows, which _FORTIFY_SOURCE checks.
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  char text[16];
  std::memcpy(text, argv[0], static_cast<size_t>(argc) * 4);
  std::printf("%.4s\n", text);
  return 0;
}
