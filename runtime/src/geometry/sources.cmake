tsrun_room(geometry TORCH SOURCES cosines.cpp spectrum.cpp isotropy.cpp neighbours.cpp frequency.cpp)
