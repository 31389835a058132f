// What a host sees: the installed headers and the library, and nothing else of the project.

#include "freehold/ids.h"

int main() { return 0; }
