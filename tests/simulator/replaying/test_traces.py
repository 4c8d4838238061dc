"""Every public format is read as it is published, from small files made here of exactly that form."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from balancer.config import default_policy
from balancer.planner.model.resources import CPU, MEMORY
from balancer.planner.model.rollups import STEP, UNKNOWN
from balancer.ports import UsageError
from balancer.simulator.replaying.run import Replay
from balancer.simulator.replaying.traces import Cut, Shape, Trace, load_trace, track
from balancer.simulator.replaying.traces.azure import EPOCH, stay_of

BITBRAINS = (
    "Timestamp [ms];\tCPU cores;\tCPU capacity provisioned [MHZ];\tCPU usage [MHZ];\tCPU usage [%];\t"
    "Memory capacity provisioned [KB];\tMemory usage [KB];\tDisk read throughput [KB/s];\t"
    "Disk write throughput [KB/s];\tNetwork received throughput [KB/s];\tNetwork transmitted throughput [KB/s]\n"
)


def test_a_planetlab_day_is_a_folder_of_files(tmp_path: Path) -> None:
    """One a guest, a percent of one core a line, in the order of their names."""
    (tmp_path / "b_host").write_text("10\n20\n30\n")
    (tmp_path / "a_host").write_text("0\n100\n50\n")
    trace = load_trace(tmp_path)
    assert trace.names == ("a_host", "b_host")
    assert trace.cpu.tolist() == [[0, 100], [1000, 200], [500, 300]]
    (tmp_path / "c_host").write_text("1\n")
    with pytest.raises(UsageError, match="same number of lines"):
        load_trace(tmp_path)


@pytest.mark.parametrize("factor", [1, 1000])
def test_bitbrains_files_are_read_by_their_units(tmp_path: Path, factor: int) -> None:
    """MHz by what is provisioned a core, KB in MiB; times in seconds, or in milliseconds as they say."""
    at = 1_376_314_800 * factor
    row = f"{at};\t2;\t5200.0;\t1300.0;\t25.0;\t4194304.0;\t1048576.0;\t0.0;\t1.4;\t0.0;\t0.0\n"
    later = f"{at + 300 * factor};\t2;\t0.0;\t0.0;\t0.0;\t4194304.0;\t2097152.0;\t0.0;\t0.0;\t0.0;\t0.0\n"
    (tmp_path / "7.csv").write_text(BITBRAINS + row + later)
    with gzip.open(tmp_path / "9.csv.gz", "wt") as file:
        file.write(BITBRAINS + row)
    trace = load_trace(tmp_path)
    assert (trace.start, trace.names) == (1_376_314_800, ("vm-7", "vm-9"))
    assert (trace.vcpus, trace.memory) == ((2, 2), (4096, 4096))
    assert trace.cpu.tolist() == [[500, 500], [0, UNKNOWN]]
    assert trace.rss is not None
    assert trace.rss.tolist() == [[1024, 1024], [2048, UNKNOWN]]
    assert load_trace(tmp_path / "7.csv").names == ("vm-7",)


def test_opendcs_columns_are_bitbrains_too(tmp_path: Path) -> None:
    """From Parquet as from CSV: 2,600 MHz are a core."""
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    columns = {"vm": [1, 1], "ts": [300, 600], "cores": [2, 2], "cpu_mhz": [2600.0, 650.0]}
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    trace = load_trace(tmp_path / "t.parquet")
    assert (trace.names, trace.vcpus, trace.cpu.tolist()) == (("vm-1",), (2,), [[1000], [250]])


def arrivals(folder: Path) -> Path:
    """Write three arrivals: for ten minutes, for good, and an hour later."""
    path = folder / "arrivals.csv"
    path.write_text(
        "t,batch,vcpu,mem_gb,dur_bin,censored\n0,0,2,3.5,2,False\n0,1,4,7.0,1,True\n3600,0,1,1.75,3,False\n"
    )
    return path


def test_azure_arrivals_come_and_go(tmp_path: Path) -> None:
    """A stay is as long as the middle of its bin; one that was not seen to end does not end."""
    trace = load_trace(arrivals(tmp_path))
    assert (trace.vcpus, trace.memory) == ((2, 4, 1), (3584, 7168, 1792))
    assert trace.stays == (
        (EPOCH, EPOCH + 600),
        (EPOCH, float("inf")),
        (EPOCH + 3600, EPOCH + 4500),
    )
    assert trace.cpu[0].tolist() == [600, 1200, UNKNOWN]
    assert trace.cpu[-1].tolist() == [UNKNOWN, 1200, 300]
    assert [stay_of(b) for b in (0, 1, 12, 13, 35, 36, 45)] == [
        150, 300, 3600, 5400, 84_600, 129_600, 1_296_000,
    ]  # fmt: skip


def test_guests_that_came_are_placed_and_those_gone_are_gone() -> None:
    """In a replay: each for its stay, where most memory is free; who finds no room is counted."""
    made = track(load_trace_of_stays(), Shape(hosts=2, cores=4, memory_mib=8192), 600)
    assert len(made.cluster.placement) == 1
    run = Replay(track=made, policy=default_policy(), interval=600)
    report = run.run()
    names = {guest.spec.name for guest in run.world.guests.values()}
    assert names == {"always", "late"}
    assert report.counted.never_began == 1
    homes = {run.world.guests[u].spec.name: h for u, h in run.world.placement.items()}
    assert homes["always"] != homes["late"]
    assert report.counted.contention == 2 * STEP  # `brief` wanted 2 cores too many for one step


def load_trace_of_stays() -> Trace:
    """Return a trace of one that stays, one that comes, one that goes, and one that is too large."""
    always, late, brief, huge = range(4)
    cpu = np.full((8, 4), UNKNOWN, dtype=np.int32)
    cpu[:, always], cpu[3:, late], cpu[5, brief], cpu[2:, huge] = 1000, 1000, 5000, 1000
    inf = float("inf")
    return Trace(
        start=1_750_032_000,
        names=("always", "late", "brief", "huge"),
        vcpus=(1, 1, 8, 1),
        memory=(4096, 4096, 1024, 16_384),
        cpu=cpu,
        stays=(
            (-inf, inf),
            (1_750_032_000 + 3 * STEP, inf),
            (1_750_032_000 + 5 * STEP, 1_750_032_000 + 6 * STEP),
            (1_750_032_000 + 2 * STEP, inf),
        ),
    )


VMTABLE = (
    "vmA,sub,dep,0,1800,99.0,50.0,90.0,Interactive,2,3.5\n"
    "vmB,sub,dep,300,900,99.0,10.0,90.0,Unknown,4,7\n"
    "vmC,sub,dep,600,1800,99.0,,90.0,Delay-insensitive,>24,>64\n"
)


def test_azures_table_of_machines_is_read_with_its_readings(tmp_path: Path) -> None:
    """Eleven columns without header; readings go before the mean, and a mean before nothing."""
    (tmp_path / "vmtable.csv").write_text(VMTABLE)
    with gzip.open(tmp_path / "vm_cpu_readings-file-1-of-1.csv.gz", "wt") as file:
        file.write("300,vmA,1.0,99.0,25.0\n300,other,1.0,99.0,25.0\n")
    trace = load_trace(tmp_path)
    assert (trace.vcpus, trace.memory) == ((2, 4, 24), (3584, 7168, 65_536))
    assert trace.cpu.tolist()[:3] == [[1000, -1, -1], [500, 400, -1], [1000, 400, 7200]]
    assert [went for _, went in trace.stays] == [float("inf"), EPOCH + 900, float("inf")]
    assert load_trace(tmp_path / "vmtable.csv").names == trace.names


def ifca(folder: Path) -> Path:
    """Write two hosts of a group, one guest that stays and one that goes, and a row short of vCPUs."""
    (folder / "vms.csv").write_text(
        "vm_id,user_id,project_id,image_ref,vcpus,memory_mb,root_gb,ephemeral_gb\n"
        "a1,u,p,i,4.0,8000.0,30.0,60.0\nb2,u,p,i,4000.0,30.0,40.0,\n"
    )
    (folder / "node_groups.csv").write_text(
        "node_group,model,form_factor,#sockets,cpu,#cores_per_socket,#threads_per_core,memory_total_size_GB\n"
        "g1,Maker 1,Rack,2,Some CPU,8,2,4.0\n"
    )
    (folder / "placement_intervals.csv").write_text(
        "vm,host,group,first,last,samples,mean_w\n"
        "a1,n1,g1,2025-01-01 00:00:00+00:00,2025-01-01 02:57:00+00:00,60,10\n"
        "b2,n2,g1,2025-01-01 01:00:00+00:00,2025-01-01 02:00:00+00:00,20,10\n"
        "zz,n2,g1,2025-01-01 01:00:00+00:00,2025-01-01 02:00:00+00:00,20,10\n"
    )
    (folder / "vm_power_hourly.csv").write_text(
        "vm,host,hour,w\na1,n1,0,10\na1,n1,1,20\na1,n1,2,0\nb2,n2,1,5\nzz,n2,1,5\n"
    )
    return folder


def test_ifcas_guests_stand_where_they_stood(tmp_path: Path) -> None:
    """Hosts by their group's sheet, CPU by power, rows that lack a cell put right."""
    trace = load_trace(ifca(tmp_path))
    assert (trace.names, trace.vcpus, trace.memory) == (("vm-a1", "vm-b2"), (4, 2), (8000, 4000))
    assert [(h.name, h.capacity[CPU], h.capacity[MEMORY]) for h in trace.hosts] == [
        ("n1", 32_000, 8000),
        ("n2", 32_000, 4096),
    ]
    assert len(trace.cpu) == 3 * 12
    busy = trace.cpu[12]
    assert busy[0] == 4000
    assert 900 < busy[1] <= 1100
    made = track(trace, Shape(hosts=1), 3600)
    run = Replay(track=made, policy=default_policy(), interval=3600)
    assert set(made.cluster.placement.values()) == {"n1"}
    run.run()
    assert set(run.world.placement.values()) == {"n1"}
    assert len(run.world.stopped) == 1


def test_a_part_of_a_trace_is_the_same_everywhere(tmp_path: Path) -> None:
    """Cut by time, and by guests' names: what is chosen does not depend on what else is there."""
    header = "guest,at,cpu\n"
    lines = [
        f"vm-{i},{1_750_032_000 + STEP * s},{100 * s}\n" for i in range(200) for s in range(6)
    ]
    (tmp_path / "t.csv").write_text(header + "".join(lines))
    part = load_trace(tmp_path / "t.csv", Cut(skip=600, length=900, share=0.25))
    assert part.start == 1_750_032_000 + 600
    assert part.cpu[:, 0].tolist() == [200, 300, 400]
    assert 25 < len(part.names) < 75
    (tmp_path / "u.csv").write_text(header + "".join(lines[::-1][:600]))
    fewer = load_trace(tmp_path / "u.csv", Cut(share=0.25))
    assert set(fewer.names) <= set(part.names)
    with pytest.raises(UsageError, match="nothing is left"):
        load_trace(tmp_path / "t.csv", Cut(skip=6000))


def test_a_folder_that_is_no_trace_is_one_sentence(tmp_path: Path) -> None:
    """It says what would be one."""
    (tmp_path / "readme.md").write_text("hello")
    with pytest.raises(UsageError, match="or a folder as PlanetLab"):
        load_trace(tmp_path)
