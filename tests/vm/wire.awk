# SPDX-License-Identifier: Apache-2.0
# What units took on the wire, from two texts of usbmon (Documentation/usb/usbmon.rst of Linux): the
# wire alone (tests/wire_floor.c), and units.
#
# Of the units' exchanges those count in which the camera only copies (HELLO, INFO, READ, WRITE: op 1,
# 2, 4, 5), from the request's start to the answer's end: in the others it makes keys, signs, and
# stores. Their floor is the round trip of the shortest exchange (the one in the middle: where the
# machine idles, a busy host makes it wait), and their bytes at the rate of bulk transfers. The op is
# the fourth byte of a frame: 00, COBS, 10, op. A unit begins with HELLO.
#
# The unit in the middle is what is told: a camera's program that is read from disk for the first time
# is slow once.
#
#   awk -v units=N -v exchanges=N -v limit=TIMES -f tests/vm/wire.awk FLOOR UNITS
#
# Exit status 0: there are so many units, and that one took so many exchanges, no more, and at most so
# many times its floor.

# Sets order: the indices of values[1] to values[count], least value first.
function sort(values, count, i, j, swap) {
    for (i = 1; i <= count; i++) {
        order[i] = i
        for (j = i; j > 1 && values[order[j]] < values[order[j - 1]]; j--) {
            swap = order[j]
            order[j] = order[j - 1]
            order[j - 1] = swap
        }
    }
}

FNR == 1 { file++ }
$3 == "S" && $4 ~ /^Bo/ {
    start = $2
    sent = $6
    op = substr($8, 7, 2)
}
file == 1 && $3 == "C" && $4 ~ /^Bo/ && $6 > 100000 {
    bulk_us += $2 - start
    bulk += $6
    start = ""
}
$3 == "C" && $4 ~ /^Bi/ && start != "" {
    if (file == 1) {
        alone[++rounds] = $2 - start
    } else if (op ~ /^0[1245]$/) {
        seen += op == "01"
        spent_us[seen] += $2 - start
        bytes[seen] += sent + $6
        trips[seen]++
    }
    start = ""
}
END {
    if (!bulk || !rounds || !seen) {
        print "there is a part missing"
        exit 1
    }
    sort(alone, rounds)
    trip_us = alone[order[int((rounds + 1) / 2)]]
    rate = bulk / bulk_us
    for (i = 1; i <= seen; i++) {
        times[i] = spent_us[i] / (trips[i] * trip_us + bytes[i] / rate)
    }
    sort(times, seen)
    middle = order[int((seen + 1) / 2)]
    printf "# measured: a round trip %.0f us, bulk %.0f KiB/s; a unit of %d bytes in %d exchanges: ",
        trip_us, rate * 1e6 / 1024, bytes[middle], trips[middle]
    printf "%.2f ms on the wire, %.2f times the floor of round trips and bytes ",
        spent_us[middle] / 1000, times[middle]
    printf "(%d units: %.2f to %.2f)\n", seen, times[order[1]], times[order[seen]]
    exit seen != units || trips[middle] != exchanges || times[middle] > limit
}
