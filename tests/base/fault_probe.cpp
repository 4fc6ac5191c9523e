// fault_probe <name>...: passes the fault points of these names, one after the other, and says so
// after each.
#include <unistd.h>

#include "base/fault.h"

int main(int count, char** words) {
  for (int i = 1; i < count; ++i) {
    fairlead::fault_point(words[i]);
    if (::write(STDOUT_FILENO, ".", 1) != 1) return 1;
  }
}
