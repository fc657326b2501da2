/* A stand-in for NVIDIA's management library: two H100, the second cut into MIG slices with a gap between them.
   Compiled against NVIDIA's own header, so that its calls have the real signatures and structures. */
#include <nvml.h>
#include <string.h>

struct device { const char *uuid, *name; unsigned long long bytes; };

static struct device whole[] = {
    {"GPU-11111111-2222-3333-4444-555555555555", "NVIDIA H100 80GB HBM3", 85520809984ULL},
    {"GPU-66666666-7777-8888-9999-000000000000", "NVIDIA H100 80GB HBM3", 85520809984ULL},
};
static struct device part[] = {
    {"MIG-aaaaaaaa-0000-5000-8000-000000000001", "NVIDIA H100 80GB HBM3 MIG 3g.40gb", 42297458688ULL},
    {0, 0, 0},
    {"MIG-aaaaaaaa-0000-5000-8000-000000000002", "NVIDIA H100 80GB HBM3 MIG 3g.40gb", 42297458688ULL},
};

static struct device *of(nvmlDevice_t handle) { return (struct device *)handle; }

static nvmlReturn_t say(const char *text, char *into, unsigned int length) {
    if (strlen(text) >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(into, text);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlInit_v2(void) { return NVML_SUCCESS; }
nvmlReturn_t nvmlInitWithFlags(unsigned int flags) { (void)flags; return NVML_SUCCESS; }
nvmlReturn_t nvmlShutdown(void) { return NVML_SUCCESS; }
const char *nvmlErrorString(nvmlReturn_t code) { (void)code; return "a stand-in's error"; }

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) { *count = 2; return NVML_SUCCESS; }

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    if (index > 1) return NVML_ERROR_INVALID_ARGUMENT;
    *device = (nvmlDevice_t)&whole[index];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length) {
    return say(of(device)->uuid, uuid, length);
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length) {
    return say(of(device)->name, name, length);
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    memory->total = of(device)->bytes;
    memory->used = of(device) == &whole[0] ? 12ULL << 30 : 3ULL << 30;
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    for (int n = 0; n < 2; n++)
        if (!strcmp(uuid, whole[n].uuid)) return *device = (nvmlDevice_t)&whole[n], NVML_SUCCESS;
    for (int n = 0; n < 3; n++)
        if (part[n].uuid && !strcmp(uuid, part[n].uuid)) return *device = (nvmlDevice_t)&part[n], NVML_SUCCESS;
    return NVML_ERROR_NOT_FOUND;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    if (of(device) < &whole[0] || of(device) > &whole[1]) return NVML_ERROR_NOT_SUPPORTED; /* as on MIG */
    rates->gpu = 87;
    rates->memory = 40;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos) {
    unsigned int room = *count;
    (void)device;
    *count = 1;
    if (room < 1) return NVML_ERROR_INSUFFICIENT_SIZE;
    infos[0].pid = 4711;
    infos[0].usedGpuMemory = 1ULL << 30;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending) {
    *current = *pending = of(device) == &whole[1] ? NVML_DEVICE_MIG_ENABLE : NVML_DEVICE_MIG_DISABLE;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count) {
    *count = of(device) == &whole[1] ? 3 : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *found) {
    if (of(device) != &whole[1] || index > 2) return NVML_ERROR_INVALID_ARGUMENT;
    if (!part[index].uuid) return NVML_ERROR_NOT_FOUND;
    *found = (nvmlDevice_t)&part[index];
    return NVML_SUCCESS;
}
